/**
 * Runs of one script, as the `UnicodeScripts` pre-tokenizer of SentencePiece's multilingual models makes them: the scripts
 * of Japanese count as Han, and a space belongs to what is before it.
 */
import type { Ranges } from "../patterns/Matches.ts"

const names = (
  "Common Inherited Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya " +
  "Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Georgian Hangul Ethiopic Cherokee Canadian_Aboriginal " +
  "Ogham Runic Khmer Mongolian Hiragana Katakana Bopomofo Han Yi Old_Italic Gothic Deseret Tagalog Hanunoo Buhid Tagbanwa " +
  "Limbu Tai_Le Linear_B Ugaritic Shavian Osmanya Cypriot Braille Buginese Coptic New_Tai_Lue Glagolitic Tifinagh " +
  "Syloti_Nagri Old_Persian Kharoshthi Balinese Cuneiform Phoenician Phags_Pa Nko Sundanese Lepcha Ol_Chiki Vai Saurashtra " +
  "Kayah_Li Rejang Lycian Carian Lydian Cham Tai_Tham Tai_Viet Avestan Egyptian_Hieroglyphs Samaritan Lisu Bamum Javanese " +
  "Meetei_Mayek Imperial_Aramaic Old_South_Arabian Inscriptional_Parthian Inscriptional_Pahlavi Old_Turkic Kaithi Batak " +
  "Brahmi Mandaic Chakma Meroitic_Cursive Meroitic_Hieroglyphs Miao Sharada Sora_Sompeng Takri Caucasian_Albanian " +
  "Bassa_Vah Duployan Elbasan Grantha Khojki Khudawadi Linear_A Mahajani Manichaean Mende_Kikakui Modi Mro " +
  "Old_North_Arabian Nabataean Palmyrene Pau_Cin_Hau Old_Permic Psalter_Pahlavi Siddham Tirhuta Warang_Citi Ahom " +
  "Anatolian_Hieroglyphs Hatran Multani Old_Hungarian SignWriting Adlam Bhaiksuki Marchen Newa Osage Tangut"
).split(" ")

const ideograph = "Han"

/** Undefined for a character of no script, and for the space. */
const scriptOf = (character: string): string | undefined => {
  if (character === " ") return undefined
  if (character === "\u30FC") return ideograph
  const name = names.find((script) => new RegExp(`\\p{Script=${script}}`, "u").test(character))
  return name === "Hiragana" || name === "Katakana" ? ideograph : name
}

/** The runs of texts. What is known of characters is kept, since a script is found by trying all. */
export const make = (): Ranges => {
  const known = new Map<string, string | undefined>()
  return (text, visit) => runs(text, known, visit)
}

const runs = (text: string, known: Map<string, string | undefined>, visit: (start: number, end: number) => void) => {
  let start = 0
  let at = 0
  let last: string | undefined
  for (const character of text) {
    if (!known.has(character)) known.set(character, scriptOf(character))
    const script = known.get(character)
    if (script !== undefined) {
      // What stands before the first script is dropped, as in the original.
      if (last === undefined) start = at
      else if (last !== script) {
        visit(start, at)
        start = at
      }
      last = script
    }
    at += character.length
  }
  if (last !== undefined) visit(start, at)
}
