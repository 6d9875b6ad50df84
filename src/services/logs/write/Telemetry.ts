/**
 * Effect's own telemetry as events of a session: `Effect.log*` through a Logger, spans through a Tracer.
 *
 * A log message becomes an event with its level, annotations, log spans, cause and the current span. A span becomes an event when it
 * ends: its name, duration, attributes, and the cause if it failed. Loggers and tracers cannot wait, so these events are posted:
 * they are written soon, and at the latest when the session ends.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Inspectable from "effect/Inspectable"
import * as List from "effect/List"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Level, Metadata } from "../SessionEvent.ts"

/** An event to write later. */
export interface Posted {
  readonly message: string
  readonly level: Level
  readonly metadata: Metadata
}

/** A Logger that posts what is logged. */
export const logger = (post: (event: Posted) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ annotations, cause, context, date, logLevel, message, spans }) => {
    const parts: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
    const span = Option.flatMap(FiberRefs.get(context, FiberRef.currentContext), Context.getOption(Tracer.ParentSpan))
    post({
      message: parts.map(textOf).join(" "),
      level: levels[logLevel._tag],
      metadata: {
        ...(HashMap.isEmpty(annotations) ? {} : { annotations: Object.fromEntries(annotations) }),
        ...(List.isNil(spans)
          ? {}
          : {
              log_spans_ms: Object.fromEntries(List.map(spans, ({ label, startTime }) => [label, +date - startTime]))
            }),
        ...(Cause.isEmpty(cause) ? {} : { cause: Cause.pretty(cause, { renderErrorCause: true }) }),
        ...Option.match(span, { onNone: () => ({}), onSome: (parent) => ({ span: nameOf(parent) }) })
      }
    })
  })

const textOf = (part: unknown): string => (part instanceof Error ? String(part) : Inspectable.toStringUnknown(part, 0))

/** A Tracer that posts spans when they end, and passes them on to the tracer `before`. */
export const tracer = (before: Tracer.Tracer, post: (event: Posted) => void): Tracer.Tracer =>
  Tracer.make({
    context: before.context,
    span: (...args) => {
      const span = before.span(...args)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => {
        end(endTime, exit)
        if (span.status._tag === "Ended") post(spanEvent(span, endTime - span.status.startTime, exit))
      }
      return span
    }
  })

const spanEvent = (span: Tracer.Span, nanoseconds: bigint, exit: Exit.Exit<unknown, unknown>): Posted => ({
  message: span.name,
  level: Exit.isSuccess(exit) ? "DEBUG" : Cause.isInterruptedOnly(exit.cause) ? "WARN" : "ERROR",
  metadata: {
    span: {
      id: span.spanId,
      trace: span.traceId,
      ...Option.match(span.parent, { onNone: () => ({}), onSome: (parent) => ({ parent: parent.spanId }) }),
      duration_ms: Number(nanoseconds) / 1e6
    },
    ...(span.attributes.size === 0 ? {} : { attributes: Object.fromEntries(span.attributes) }),
    ...(Exit.isSuccess(exit) ? {} : { cause: Cause.pretty(exit.cause, { renderErrorCause: true }) })
  }
})

const nameOf = (span: Tracer.AnySpan): string => (span._tag === "Span" ? span.name : span.spanId)

const levels: Record<LogLevel.LogLevel["_tag"], Level> = {
  All: "TRACE",
  Trace: "TRACE",
  Debug: "DEBUG",
  Info: "INFO",
  Warning: "WARN",
  Error: "ERROR",
  Fatal: "FATAL",
  None: "TRACE"
}
