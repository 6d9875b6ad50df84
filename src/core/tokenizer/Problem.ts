/**
 * A part of a tokenizer.json that cannot be used. The reader of the file makes a TokenizerFileError of it.
 */
export interface Problem {
  /** The place inside the file: `model.vocab["ab"]`. */
  readonly key: string
  readonly details: string
}
