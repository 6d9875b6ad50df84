/**
 * `codex-ml/testing`: the laws of each kind as test suites. Each is a function of a Layer, and runs in vitest with
 * @effect/vitest.
 *
 *     tokenizerContract("emoji", Emoji.layer({}), ["some", "texts"])
 */
export { backendContract } from "./backend.ts"
export { type DatasetContract, datasetContract } from "./dataset.ts"
export { metricContract } from "./metric.ts"
export { modelContract } from "./model.ts"
export type { OperatorTestOptions } from "./operatorCases.ts"
export { type OperatorSkip, operatorContract, operatorGradients } from "./operators.ts"
export { hardTexts, tokenizerContract } from "./tokenizer.ts"
export { type TrainerContract, tokenizerTrainerContract } from "./tokenizerTrainer.ts"
export { type TrackerContract, trackerContract } from "./tracker.ts"
