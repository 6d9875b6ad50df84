/** The part of asciichart 1.5 that codex calls; the package has no types. */
declare module "asciichart" {
  export function plot(
    series: ReadonlyArray<number>,
    options?: {
      readonly height?: number
      readonly min?: number
      readonly max?: number
      readonly format?: (value: number) => string
    }
  ): string
}
