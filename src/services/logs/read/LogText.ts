/**
 * An event from the texts that a log holds.
 */
import { Level, type LogEvent, levelOf } from "../SessionEvent.ts"
import { isoOf } from "./LogTime.ts"

const levels: ReadonlyArray<string> = Level.literals

export interface Texts {
  readonly seconds: number | null
  /** The time as it was found. */
  readonly time: string | null
  readonly session: string | null
  readonly role: string | null
  readonly message: string | null
  readonly level: string | null
  readonly metadata: unknown
}

export const eventOf = (texts: Texts): LogEvent => ({
  ts: texts.seconds,
  time: texts.seconds === null ? texts.time : isoOf(texts.seconds),
  session_id: texts.session,
  role: texts.role,
  level: levelIn(texts.level, texts.role),
  message: texts.message ?? "",
  metadata: texts.metadata
})

/** A level, else the role where that is one of ours. */
export const levelIn = (level: string | null, role: string | null): string | null => {
  if (level !== null && level.trim() !== "") return levelOf(level)
  const told = levelOf(role ?? "")
  return levels.includes(told) ? told : null
}

/** JSON where it is JSON, else as it is. */
export const metadataOf = (text: string | null): unknown => {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
