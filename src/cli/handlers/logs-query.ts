/**
 * Prints events for searching, or as data.
 */
import { lines } from "../render/LogText.ts"
import { type Options, show } from "./logs-show.ts"

export const run = (options: Options) => show(options, lines)
