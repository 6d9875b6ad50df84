/**
 * The bytes of a SentencePiece model, read with the messages of sentencepiece_model.proto. A module of its own so that the
 * protobuf library is loaded with the first model, not with the list of plugins.
 */
import { fromBinary } from "@bufbuild/protobuf"
import * as Either from "effect/Either"
import type { InvalidComponent } from "../../../core/tokenizer/TokenizerJson.ts"
import { ModelProtoSchema } from "./gen/sentencepiece_model_pb.ts"
import * as Translate from "./Translate.ts"

export const read = (bytes: Uint8Array, ends: Translate.Ends): Either.Either<Translate.Translation, InvalidComponent> =>
  Either.gen(function* () {
    const model = yield* Either.try({
      try: () => fromBinary(ModelProtoSchema, bytes),
      catch: (cause) => ({
        key: "",
        details: `is no SentencePiece model (${cause instanceof Error ? cause.message : cause}).`
      })
    })
    return yield* Translate.toTokenizerJson(model, ends)
  })
