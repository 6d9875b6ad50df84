/**
 * Reads ONNX Runtime's profile of a Program (`OnnxBackend.Options.profile`): the time of each kind of operator, and what the device did
 * not compute.
 *
 * A provider that can time its kernels adds events of its own (WebGPU does, with timestamp queries): these are times of the
 * device. The times of nodes are those of the host, which on such a device only says how long it takes to submit them. A node
 * of the CPU provider, or one that copies (Memcpy), is a crossing between the host and the device.
 */
import * as Arr from "effect/Array"
import * as Schema from "effect/Schema"
import { round } from "../Figures.ts"
import type { Row } from "./Job.ts"

const Event = Schema.Struct({
  cat: Schema.String,
  name: Schema.String,
  /** Microseconds. */
  dur: Schema.Number,
  ts: Schema.Number,
  args: Schema.Struct({
    op_name: Schema.optional(Schema.String),
    provider: Schema.optional(Schema.String),
    output_size: Schema.optional(Schema.NumberFromString)
  })
})
type Event = typeof Event.Type

/** The events of a profile's text. */
export const decode = Schema.decode(Schema.parseJson(Schema.Array(Event)))

/** What a profile says about one run. */
export interface Summary {
  readonly operators: ReadonlyArray<Row>
  readonly crossings: ReadonlyArray<Row>
  readonly total: Row
}

const millis = (events: ReadonlyArray<Event>, runs: number): number =>
  round(events.reduce((total, { dur }) => total + dur, 0) / 1000 / runs, 3)

/** Per run: nodes over the last `runs` runs, because the first ones compile kernels; kernels over all of them. */
export const summarize = (events: ReadonlyArray<Event>, runs: number): Summary => {
  const all = events.filter(({ name }) => name === "model_run")
  const from = all.at(-runs)?.ts ?? 0
  const nodes = events.filter(({ cat, ts }) => cat === "Node" && ts >= from)
  const kernels = events.filter(({ cat }) => cat !== "Node" && cat !== "Session")
  const rows = (events: ReadonlyArray<Event>, clock: string, count: number, kindOf: (event: Event) => string) => {
    const whole = millis(events, count)
    return Object.entries(Arr.groupBy(events, kindOf))
      .map(([kind, events]): Row => {
        const time = millis(events, count)
        return {
          clock,
          operator: kind,
          per_step: round(events.length / count),
          millis: time,
          share: round(time / whole, 3)
        }
      })
      .sort((a, b) => Number(b.millis) - Number(a.millis))
  }
  const isCopy = ({ args }: Event) => args.op_name?.startsWith("Memcpy") === true
  const isOnCpu = ({ args }: Event) => args.provider === "CPUExecutionProvider"
  const crossing = nodes.filter((event) => isCopy(event) || isOnCpu(event))
  return {
    operators: [
      // `&<operator>&<kernel>`, after the node's name.
      ...rows(kernels, "device", Math.max(all.length, 1), ({ name }) => name.split("&").slice(1).join(" ") || name),
      ...rows(
        nodes,
        "host",
        runs,
        ({ args }) => `${args.op_name} on ${args.provider?.replace("ExecutionProvider", "")}`
      )
    ],
    crossings: Object.entries(Arr.groupBy(crossing, ({ name }) => name.replace(/_kernel_time$/, ""))).map(
      ([node, events]): Row => ({
        node,
        operator: events[0].args.op_name ?? "",
        provider: events[0].args.provider ?? "",
        per_step: round(events.length / runs),
        bytes: events[0].args.output_size ?? null
      })
    ),
    total: {
      nodes_per_step: round(nodes.length / runs),
      kernels_per_step: round(kernels.length / Math.max(all.length, 1)),
      host_millis: millis(nodes, runs),
      device_millis: kernels.length === 0 ? null : millis(kernels, Math.max(all.length, 1)),
      nodes_on_cpu: round(nodes.filter(isOnCpu).length / runs),
      copies: round(nodes.filter(isCopy).length / runs),
      copied_bytes: round(nodes.filter(isCopy).reduce((sum, { args }) => sum + (args.output_size ?? 0), 0) / runs)
    }
  }
}
