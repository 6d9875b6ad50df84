/**
 * Every operator's ONNX form, and the graph of its gradient, on the CPU with one and two threads. Oracle: the reference
 * evaluation in float64. Needs a CPU session.
 */
import { operators } from "../../../../src/core/tensor/ops.ts"
import * as OnnxBackend from "../../../../src/services/backend/OnnxBackend.ts"
import { operatorContract } from "../../../../src/testing/operators.ts"

operatorContract("ONNX on the CPU, 1 thread", OnnxBackend.layer({ device: "cpu", threads: 1 }), operators)
operatorContract("ONNX on the CPU, 2 threads", OnnxBackend.layer({ device: "cpu", threads: 2 }), operators)
