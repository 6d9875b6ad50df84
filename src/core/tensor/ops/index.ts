/**
 * Every operator there is. The contract suite (src/testing/operators.ts) enumerates this list, so an operator is tested
 * because it stands in the list of its family.
 */
import type { Operator } from "../Operator.ts"
import { activationOperators } from "./activation.ts"
import { attentionOperators } from "./attention.ts"
import { broadcastOperators } from "./broadcast.ts"
import { compareOperators } from "./compare.ts"
import { elementwiseOperators } from "./elementwise.ts"
import { gatherOperators } from "./gather.ts"
import { lossOperators } from "./loss.ts"
import { matmulOperators } from "./matmul.ts"
import { normOperators } from "./norm.ts"
import { randomOperators } from "./random.ts"
import { reduceOperators } from "./reduce.ts"
import { reshapeOperators } from "./reshape.ts"
import { rotaryOperators } from "./rotary.ts"
import { shapeOperators } from "./shape.ts"
import { softmaxOperators } from "./softmax.ts"

export const operators: ReadonlyArray<Operator> = [
  ...elementwiseOperators,
  ...activationOperators,
  ...compareOperators,
  ...broadcastOperators,
  ...reduceOperators,
  ...reshapeOperators,
  ...shapeOperators,
  ...randomOperators,
  ...matmulOperators,
  ...gatherOperators,
  ...normOperators,
  ...softmaxOperators,
  ...lossOperators,
  ...rotaryOperators,
  ...attentionOperators
]
