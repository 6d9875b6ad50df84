/**
 * Character classes as Hugging Face's tokenizers see them, whose tables are of Unicode 8 and 9.
 *
 * Characters that are newer are left alone there, whatever Unicode this program's engine knows.
 */
export const mark = /\p{M}/gu
export const nonspacingMark = /\p{Mn}/gu
export const control = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\uFFFD]/gu
export const unknownToNormalForms = /([\u{32FF}])/u
