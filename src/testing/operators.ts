/**
 * The laws of an operator, as tests of every definition in a list.
 *
 *     operatorGradients(operators)                        // needs no backend
 *     operatorContract("ONNX, 2 threads", OnnxBackend.layer({ threads: 2 }), operators, [])
 *
 * Laws: 1 the special points have the values worked out by hand; 2 the gradient agrees with central differences of the reference in float64, along
 * a random direction (so the cost does not grow with the tensor); 3 a backend computes what the reference computes,
 * forwards and backwards. The cases and the comparison are in operatorCases.ts.
 */
import { describe, expect, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { Backend } from "../core/Backend.ts"
import { type AnyOperator, applyBound } from "../core/tensor/Operator.ts"
import * as Reference from "../core/tensor/Reference.ts"
import { constant } from "../core/tensor/Tensor.ts"
import {
  casesOf,
  comparisons,
  described,
  differenceOf,
  numbersFrom,
  type OperatorTestOptions,
  slopesOf
} from "./operatorCases.ts"

/** An operator that a backend is known to fail, and why: the reason is in the name of the test. */
export interface OperatorSkip {
  readonly operator: string
  readonly reason: string
}

/** Laws 1 and 2. */
export const operatorGradients = (operators: ReadonlyArray<AnyOperator>, options: OperatorTestOptions = {}): void => {
  describe("operators, in float64", () => {
    for (const operator of operators) {
      it(`1 ${operator.name}: has special points`, () => {
        expect(operator.special.length).toBeGreaterThan(0)
      })
      operator.special.forEach((point, i) => {
        it(`1 ${operator.name}: special point ${i + 1}`, () => {
          const values = Reference.evaluate(applyBound(point.operator, point.inputs.map(constant)), new Map())
          expect(values.length).toBe(point.outputs.length)
          values.forEach((value, k) => {
            expect(differenceOf(value.data, point.outputs[k]!), `output ${k}`).toBeLessThan(1e-6)
          })
        })
      })
      if (operator.nonDifferentiable !== undefined) {
        it(`2 ${operator.name}: explains why it has no gradient`, () => {
          expect(operator.nonDifferentiable).toMatch(/\w+ \w+/)
        })
        continue
      }
      it(`2 ${operator.name}: the gradient agrees with central differences`, () => {
        let differentiated = 0
        for (const each of casesOf(operator, options)) {
          const slopes = slopesOf(each, numbersFrom(differentiated))
          if (slopes === undefined) continue
          differentiated++
          const error = Math.abs(slopes.numeric - slopes.analytic) / Math.max(slopes.size, 1e-3)
          expect(error, `${described(each)}: ${slopes.analytic}, by differences ${slopes.numeric}`).toBeLessThan(1e-6)
        }
        expect(differentiated, "samples with float32 inputs and outputs").toBeGreaterThan(0)
      })
    }
  })
}

/** Laws 1 and 3, on the backend of the layer: one compiled Program for each operator, with all of its cases. */
export const operatorContract = <E>(
  name: string,
  backend: Layer.Layer<Backend, E>,
  operators: ReadonlyArray<AnyOperator>,
  skips: ReadonlyArray<OperatorSkip> = [],
  options: OperatorTestOptions = {}
): void => {
  layer(backend)(`operators, ${name}`, (it) => {
    for (const operator of operators) {
      const skip = skips.find((each) => each.operator === operator.name)
      if (skip !== undefined) {
        it.skip(`3 ${operator.name}: ${skip.reason}`, () => undefined)
        continue
      }
      it.scoped(`3 ${operator.name}: agrees with the reference, forwards and backwards`, () =>
        Effect.gen(function* () {
          for (const { difference, tolerance, what } of yield* comparisons(operator, options)) {
            expect(difference, what).toBeLessThanOrEqual(tolerance)
          }
        })
      )
    }
  })
}
