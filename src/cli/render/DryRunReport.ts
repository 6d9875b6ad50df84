/**
 * What `codex train +dry_run=true` prints: parameters by name and shape, sizes, and what a real run would cost.
 *
 * Blocks that are alike are one row, with a * for their number. Time is one measured update times their number; memory is what
 * this process held at most, which a real run exceeds only by its evaluation's results.
 */
import type { DryRun } from "../../jobs/dryRun.ts"
import { bytes, count, duration } from "./Format.ts"
import { facts } from "./Report.ts"
import { table } from "./Table.ts"

export const describeDryRun = (
  { parameters, prepared, started, step }: DryRun,
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
      ["Vocabulary", `${prepared.vocabularySize}`],
      ["Training text", `${prepared.trainTokens} tokens, ${bytes(prepared.trainBytes)}`],
      ["Tokens an update", `${started.tokensPerStep}`],
      ["Updates", `${started.totalSteps} (${started.stepsPerEpoch} an epoch)`],
      ["Time an update", `${duration(step.stepMillis)}, ${count(rate)} tokens/s`],
      ["Time", `about ${duration(total)}, and evaluations`],
      ["Memory", `about ${bytes(measured.memory)}`],
      ["Device", started.device]
    ]),
    "",
    "Nothing was written under runs/. Leave out +dry_run=true to train."
  ].join("\n")
}

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
