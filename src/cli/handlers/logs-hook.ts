/**
 * Prints the functions that record a shell.
 */
import * as Console from "effect/Console"
import type { Shell } from "../logs/hook.ts"
import { bash } from "../logs/hooks/bash.ts"
import { fish } from "../logs/hooks/fish.ts"
import { powershell } from "../logs/hooks/powershell.ts"
import { zsh } from "../logs/hooks/zsh.ts"

export const run = ({ shell }: { readonly shell: Shell }) => Console.log(scripts[shell])

const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish, powershell }
