/**
 * Whether to test exhaustively, which takes some minutes more: `npm run test:full`, or `CODEX_TEST_FULL=1 npx vitest run …`.
 * Otherwise such a test takes a sample.
 */
export const full = process.env.CODEX_TEST_FULL === "1"

/** `all` of them in the full test, otherwise `some`. */
export const inFull = (all: number, some: number): number => (full ? all : some)
