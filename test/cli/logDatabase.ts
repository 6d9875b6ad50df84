/**
 * A SQLite database made by plain SQL, without codex.
 */
import { createRequire } from "node:module"

/** What tests use of better-sqlite3, which has no types. */
export interface Database {
  readonly exec: (sql: string) => void
  readonly close: () => void
}
type Opened = new (path: string) => Database
const Sqlite: Opened = createRequire(import.meta.url)("better-sqlite3")

/** Runs SQL in a database, which is made where it is not there; leaves it open. */
export const database = (path: string, sql: string): Database => {
  const opened = new Sqlite(path)
  opened.exec(sql)
  return opened
}
