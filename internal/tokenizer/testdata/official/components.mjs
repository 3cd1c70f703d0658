// node components.mjs BYTES CHARACTERS > components.json
//
// What the official library makes of texts with each component: ids without
// template, names of special tokens parsed. BYTES is ../trained.json, CHARACTERS
// is what JSON writes for the tok512.bin of llama2.c.
import fs from 'fs'
import pkg from 'tokenizers'
const [bytes, characters] = process.argv.slice(2).map(f => JSON.parse(fs.readFileSync(f)))

const split = (Regex, behavior = 'Isolated', invert = false) => ({ type: 'Split', pattern: { Regex }, behavior, invert })
const literal = (String, behavior) => ({ type: 'Split', pattern: { String }, behavior, invert: false })
const level = (use_regex = true, add_prefix_space = false) => ({ type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex })
const sequence = (...pretokenizers) => ({ type: 'Sequence', pretokenizers })
const normal = (...normalizers) => ({ type: 'Sequence', normalizers })
const digits = individual_digits => ({ type: 'Digits', individual_digits })
const punctuation = behavior => ({ type: 'Punctuation', behavior })
const space = (prepend_scheme, split) => ({ type: 'Metaspace', replacement: '▁', prepend_scheme, split })
const replace = (String, content) => ({ type: 'Replace', pattern: { String }, content })
const added = (base, ...tokens) => {
  let next = Object.keys(base.model.vocab).length
  return base.added_tokens.concat(tokens.map(([content, flags]) => ({
    id: base.model.vocab[content] ?? next++, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false, ...flags })))
}
const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const cl100k = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
const qwen2 = llama3.replace('{1,3}', '')
const flagged = base => added(base, ['the', {}], ['st', { single_word: true }], ['42', { lstrip: true }], ['<s2>', { rstrip: true, special: true }],
  ['there', { normalized: true, lstrip: true, rstrip: true }], ['  ', {}])
const pieces = Object.entries(characters.model.vocab).sort((a, b) => a[1] - b[1])
const unigram = byte_fallback => ({ type: 'Unigram', unk_id: 0, byte_fallback, vocab: pieces.map(([text, id]) => [text, id > 258 ? -1 - id / 64 : 0]) })

const settings = [
  ['gpt2', bytes, { pre_tokenizer: level() }],
  ['nfc', bytes, { normalizer: { type: 'NFC' }, pre_tokenizer: level() }],
  ['llama3', bytes, { pre_tokenizer: sequence(split(llama3), level(false)), model: { ...bytes.model, ignore_merges: true } }],
  ['cl100k', bytes, { pre_tokenizer: sequence(split(cl100k, 'Removed', true), level(false)) }],
  ['qwen2', bytes, { normalizer: { type: 'NFC' }, pre_tokenizer: sequence(split(qwen2), level(false)) }],
  ['smollm', bytes, { pre_tokenizer: sequence(digits(true), level()) }],
  ['falcon', bytes, { pre_tokenizer: sequence(punctuation('Contiguous'), level(), digits(false), split('[0-9][0-9][0-9]')) }],
  ['space in front', bytes, { pre_tokenizer: sequence(digits(false), level(true, true)) }],
  ['punctuation', bytes, { pre_tokenizer: sequence(punctuation('Isolated'), level()) }],
  ['one word', bytes, { pre_tokenizer: level(false) }],
  ['small letters', bytes, { normalizer: normal({ type: 'NFKD' }, { type: 'StripAccents' }, { type: 'Lowercase' }, { type: 'Strip', strip_left: true, strip_right: false }, replace('the', 'st')), pre_tokenizer: level() }],
  ['added', bytes, { pre_tokenizer: level(), added_tokens: flagged(bytes) }],
  ['added to small letters', bytes, { normalizer: { type: 'Lowercase' }, pre_tokenizer: level(), added_tokens: flagged(bytes) }],
  ['llama', characters, {}],
  ['always', characters, { normalizer: null, pre_tokenizer: space('always', true), decoder: space('always', true) }],
  ['first', characters, { normalizer: null, pre_tokenizer: space('first', false), decoder: space('first', true) }],
  ['never', characters, { normalizer: null, pre_tokenizer: space('never', true), decoder: space('never', true) }],
  ['gemma', characters, { normalizer: replace(' ', '▁'), pre_tokenizer: literal(' ', 'MergedWithPrevious'), added_tokens: added(characters, ['\n\n', {}], ['▁▁▁', {}]) }],
  ['with next', characters, { normalizer: replace(' ', '▁'), pre_tokenizer: literal('▁', 'MergedWithNext') }],
  ['isolated', characters, { normalizer: replace(' ', '▁'), pre_tokenizer: literal('▁', 'Isolated') }],
  ['unknown, fused', characters, { model: { ...characters.model, byte_fallback: false } }],
  ['unknown', characters, { model: { ...characters.model, byte_fallback: false, fuse_unk: false } }],
  ['unigram', characters, { model: unigram(true) }],
  ['unigram, unknown', characters, { model: unigram(false) }],
]

const parts = [' ', '  ', '\n', '\r\n', '\t', '\u00a0', '\u0085', '\u3000', '\u200b', "'s", "'S", "'ſ", "'LL", "'re", 'É\u0301a', 'ſ', '中', '1', '42', '123', '½', '²', 'Ⅷ', '٣', '_', '\ufeff', '🚀', '-',
  '...', '$', '¿', 'the', 'st', 'there', 'The', ' others', 'boat', '<s2>', '<s>', '</s>', '<|endoftext|>', '▁', 'İ', 'ΣΣ', 'ß', 'ﬁ', 'Ａ', 'か\u3099', 'र्', '\n\n', '   ', 'ò', '<0x41>', '<unk>']
let state = 1
const random = n => { state = (state * 48271) % 2147483647; return state % n }
const texts = Array.from({ length: 40 }, () => Array.from({ length: random(12) }, () => parts[random(parts.length)]).join(''))

const result = []
for (const [name, base, changes] of settings) {
  const tokenizer = pkg.Tokenizer.fromString(JSON.stringify({ ...base, ...changes }))
  const ids = []
  for (const text of texts) ids.push((await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds())
  const { model, ...rest } = changes
  const settings = model?.type === 'Unigram' ? { type: 'Unigram', unk_id: 0, byte_fallback: model.byte_fallback }
    : model ? { byte_fallback: model.byte_fallback, fuse_unk: model.fuse_unk, ignore_merges: model.ignore_merges } : undefined
  result.push({ name, base: base === bytes ? 'bytes' : 'characters', changes: rest, model: settings, ids })
}
console.log('{"texts": ' + JSON.stringify(texts) + ',\n"settings": [\n' + result.map(r => JSON.stringify(r)).join(',\n') + '\n]}')
