/**
 * `codex-ml/testing`: the laws of each kind as test suites. Each is a function of a Layer, and runs in vitest with
 * @effect/vitest.
 *
 *     tokenizerContract("emoji", Emoji.layer({}), ["some", "texts"])
 */
export { backendContract } from "./backend.ts"
export { datasetContract } from "./dataset.ts"
export { metricContract } from "./metric.ts"
export { modelContract } from "./model.ts"
export { operatorContract, operatorGradients } from "./operators.ts"
export { hardTexts, tokenizerContract } from "./tokenizer.ts"
export { tokenizerTrainerContract } from "./tokenizerTrainer.ts"
export { trackerContract } from "./tracker.ts"
