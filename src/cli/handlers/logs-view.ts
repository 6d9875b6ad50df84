/**
 * Prints events for reading, or as data.
 */
import { blocks } from "../render/LogText.ts"
import { type Options, show } from "./logs-show.ts"

export const run = (options: Options) => show(options, blocks)
