/** What this bench uses of packages that only `npm ci --prefix bench` installs, so that it is checked without them. */
declare module "gpt-tokenizer/encoding/o200k_base" {
  export const encode: (text: string) => Array<number>
}
declare module "gpt-tokenizer/encoding/cl100k_base" {
  export const encode: (text: string) => Array<number>
}
declare module "ai-tokenizer" {
  export class Tokenizer {
    constructor(encoding: object)
    encode(text: string): Array<number>
  }
}
declare module "ai-tokenizer/encoding/o200k_base"
declare module "ai-tokenizer/encoding/cl100k_base"
declare module "kitoken/node" {
  export class Kitoken {
    static from_tokenizers(file: Uint8Array): Kitoken
    static from_tiktoken(file: Uint8Array): Kitoken
    encode(text: string, specialTokens: boolean): Uint32Array
  }
}
