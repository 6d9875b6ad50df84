export const root: string
export function bundle(): Promise<void>
