/**
 * Results of jobs on runs as text: a training, its dry run, an evaluation.
 */
import type { Result } from "../../core/evaluation/Evaluation.ts"
import { describe, maximumThreads } from "../../core/tensor/ThreadDependence.ts"
import type { TrainState } from "../../core/training/Checkpoint.ts"
import type { EvaluationFile, Run } from "../../jobs/Run.ts"
import type { DryRun } from "../../jobs/TrainingRun.ts"
import { bytes, count, duration, number, plural } from "./Format.ts"
import { facts, nextCommands, shellWord, table } from "./Table.ts"

/**
 * `Completed 62 updates, 254 k tokens; last loss 4.871 nats/token.` and `Best held-out loss: …`, if text was held out. The first
 * words say why training ended: all updates are done, no new best for so many evaluations, or the program stopped it.
 */
const sentences = ({ best, finished, loss, sinceBest, step, tokens }: TrainState): ReadonlyArray<string> => {
  const end = { completed: "Completed", early_stop: "Stopped early after" }
  const done = `${plural(step, "update")}, ${plural(tokens, "token", count(tokens))}`
  const patience = `${plural(sinceBest, "evaluation")} in a row without a new best (training.early_stopping_patience)`
  return [
    `${finished === null ? "Stopped by the program after" : end[finished]} ${done}; last loss ${number(loss)} nats/token.`,
    ...(best === null ? [] : [`Best held-out loss: ${number(best.loss)} nats/token at step ${best.step}.`]),
    ...(finished === "early_stop" ? [`Reason: ${patience}.`] : [])
  ]
}

/** The result of a training on one line. */
export const trainingSummary = (state: TrainState): string => sentences(state).join(" ")

/** The result of a training, where things are, and what to run next, with a prompt to try. */
export const trainingReport = (run: Run, prompt: string): string =>
  [
    ...sentences(run.state),
    "",
    facts([
      ["Run", run.directory],
      ["Checkpoint", run.checkpoint],
      ["Config", run.configFile]
    ]),
    "",
    nextCommands([
      `codex evaluate --run ${shellWord(run.directory)}`,
      `codex generate --run ${shellWord(run.directory)} --prompt ${shellWord(prompt)}`
    ])
  ].join("\n")

/** The same as one JSON object: what `codex train --json` prints. Losses are in nats per token. */
export const trainingJson = ({ checkpoint, configFile, directory, state }: Run): string => {
  const { best, finished, loss, seed, step, tokens } = state
  const files = { run: directory, checkpoint, config: configFile }
  return JSON.stringify({ ...files, step, tokens, seed, loss, best, finish_reason: finished ?? "stopped" })
}

/** `metric  value  ± stderr  unit` */
export const evaluationTable = (results: ReadonlyArray<Result>): string =>
  table(
    [{ title: "metric" }, { title: "value", align: "right" }, { title: "± stderr", align: "right" }, { title: "unit" }],
    results.map(({ metric, stderr, unit, value }) => [
      metric,
      number(value),
      stderr === undefined ? "–" : number(stderr, 2),
      unit
    ])
  )

/** The same on one line: `bits_per_byte 1.925 ± 0.016 bits/byte, …` */
export const scores = (results: ReadonlyArray<Result>): string =>
  results
    .map(({ metric, stderr, unit, value }) => {
      const error = stderr === undefined ? "" : ` ± ${number(stderr, 2)}`
      return `${metric} ${number(value)}${error} ${unit}`.trimEnd()
    })
    .join(", ")

/** The table, what was scored, and where the results are. */
export const evaluationReport = (evaluation: EvaluationFile & { readonly checkpoint: string }): string => {
  const { checkpoint, data, files, results, tokens } = evaluation
  return [
    evaluationTable(results),
    "",
    facts([
      ["Checkpoint", checkpoint],
      ["Text", `${data}, ${plural(tokens, "token", count(tokens))}`],
      ["Results", `${files.ndjson}, ${files.csv}`]
    ])
  ].join("\n")
}

/**
 * What `codex train +dry_run=true` prints: parameters by name and shape, sizes, and what a real run would cost.
 *
 * Equal blocks share a row, with a * for their number. Time is one measured update times the number of updates. Memory is the
 * most that this process held; a real run needs more only for the results of its evaluations.
 */
export const dryRunReport = (
  { parameters, prepared, started, step, threadDependences }: DryRun,
  measured: {
    /** Most bytes that this process held. */
    readonly memory: number
  }
): string => {
  const total = started.totalSteps * step.stepMillis
  const rate = (1000 * started.tokensPerStep) / Math.max(1, step.stepMillis)
  return [
    table(
      [
        { title: "parameter" },
        { title: "shape" },
        { title: "copies", align: "right" },
        { title: "numbers", align: "right" }
      ],
      groups(parameters).map(({ copies, name, numbers, shape }) => [
        name,
        `[${shape.join(", ")}]`,
        `${copies}`,
        `${numbers * copies}`
      ])
    ),
    "",
    facts([
      ["Parameters", `${started.parameters} (${count(started.parameters)})`],
      ["Vocabulary", plural(prepared.vocabularySize, "token")],
      ["Training text", `${plural(prepared.trainTokens, "token")}, ${bytes(prepared.trainBytes)}`],
      ["Updates", `${started.totalSteps} (${started.stepsPerEpoch} per epoch)`],
      ["Tokens per update", `${started.tokensPerStep}`],
      ["Time per update", `${duration(step.stepMillis)}, ${count(rate)} tokens/s`],
      ["Time", `about ${duration(total)}, plus evaluations`],
      ["Memory", `about ${bytes(measured.memory)}`],
      ["Device", started.device],
      ["Threads", threadLine(threadDependences)]
    ]),
    "",
    "Nothing was written under runs/. Leave out +dry_run=true to train."
  ].join("\n")
}

/** The same as one JSON object. Times are in milliseconds, memory in bytes. */
export const dryRunJson = (
  { parameters, prepared, started, step, threadDependences }: DryRun,
  { memory }: { readonly memory: number }
): string =>
  JSON.stringify({
    parameters: Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape])),
    numbers: started.parameters,
    vocabulary_size: prepared.vocabularySize,
    train_tokens: prepared.trainTokens,
    train_bytes: prepared.trainBytes,
    updates: started.totalSteps,
    updates_per_epoch: started.stepsPerEpoch,
    tokens_per_update: started.tokensPerStep,
    update_millis: step.stepMillis,
    memory,
    device: started.device,
    thread_dependence: threadDependences.map(describe)
  })

/** Whether results depend on the number of threads, and each node that makes them so. */
const threadLine = (dependences: DryRun["threadDependences"]): string =>
  dependences.length === 0
    ? `bits do not depend on the thread count (1 to ${maximumThreads})`
    : ["bits depend on the thread count:", ...dependences.map(describe)].join("\n  ")

interface Group {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  readonly numbers: number
  copies: number
}

/** Parameters whose names differ in a number only, and whose shapes are equal. */
const groups = (parameters: DryRun["parameters"]): ReadonlyArray<Group> => {
  const found = new Map<string, Group>()
  for (const [name, { shape }] of Object.entries(parameters)) {
    const pattern = name.replaceAll(/\.\d+(?=\.)/g, ".*")
    const key = `${pattern}[${shape.join()}]`
    const group = found.get(key)
    if (group !== undefined) group.copies += 1
    else
      found.set(key, { name: pattern, shape, numbers: shape.reduce((product, size) => product * size, 1), copies: 1 })
  }
  return [...found.values()]
}
