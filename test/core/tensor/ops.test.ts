/**
 * Every operator's special points and gradient. Oracles: hand computation (the points), and central differences of the
 * reference in float64. Needs nothing.
 */
import { operators } from "../../../src/core/tensor/ops.ts"
import { operatorGradients } from "../../../src/testing/operators.ts"

operatorGradients(operators)
