/** Files of a test's own, and the faults that every loader must name. */
import { FileSystem } from "@effect/platform"
import type * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Tokenizer, TokenizerFileError } from "../../../src/core/Tokenizer.ts"

/** A folder with these files, for as long as the scope is open. */
export const folderOf = (files: { readonly [name: string]: string | Uint8Array }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    for (const [name, content] of Object.entries(files)) {
      yield* typeof content === "string"
        ? fs.writeFileString(`${folder}/${name}`, content)
        : fs.writeFile(`${folder}/${name}`, content)
    }
    return folder
  })

type Load = (path: string) => Layer.Layer<Tokenizer, unknown, FileSystem.FileSystem | Path.Path>

/** A tokenizer from a folder with these files, which is removed with the scope. */
export const loadedFrom = (files: { readonly [name: string]: string | Uint8Array }, load: Load) =>
  Layer.unwrapScoped(Effect.map(folderOf(files), load)).pipe(Layer.provide(NodeContext.layer))

/** The error of loading a folder with these files. */
export const errorOf = (load: Load, files: { readonly [name: string]: string | Uint8Array }) =>
  Effect.gen(function* () {
    const folder = yield* folderOf(files)
    const error = yield* Effect.flip(Effect.provide(Tokenizer, load(folder)))
    if (!(error instanceof TokenizerFileError)) throw new Error(`not a TokenizerFileError: ${String(error)}`)
    return { key: error.key, message: error.message.replaceAll(folder, "…") }
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

/** Faults that every loader names, with the file of the given name in their place. */
export const namesBadFiles = (load: Load, name: string, options: { readonly text: boolean }) =>
  describe("says what is wrong with a file that is not a tokenizer", () => {
    const message = (files: { readonly [name: string]: string | Uint8Array }) =>
      Effect.map(errorOf(load, files), (error) => error.message)

    it.effect("nothing there", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.provide(Tokenizer, load("no/such/place")))
        expect(error).toMatchObject({ _tag: "TokenizerFileError", path: "no/such/place" })
        expect(String(error)).toContain("does not exist. Give ")
        expect(yield* message({})).toMatch(/^…: is a directory without /)
      }).pipe(Effect.provide(NodeContext.layer))
    )
    it.effect("empty", () =>
      Effect.map(message({ [name]: "" }), (text) => expect(text).toContain(`…/${name}: is empty. `))
    )
    if (options.text) {
      it.effect("binary, or not UTF-8", () =>
        Effect.gen(function* () {
          expect(yield* message({ [name]: Uint8Array.of(1, 0, 2, 255) })).toContain(`…/${name}: is a binary file`)
          const latin = Uint8Array.from(Buffer.from("caf\u00e9 au lait", "latin1"))
          expect(yield* message({ [name]: latin })).toContain(`…/${name}: is not UTF-8 (byte 3).`)
        })
      )
    }
    it.effect("noise", () =>
      Effect.gen(function* () {
        const noise = options.text ? "{ [} not a tokenizer" : Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0x7f, 0x01)
        expect(yield* message({ [name]: noise })).toMatch(new RegExp(`^…/${name}: `))
      })
    )
  })
