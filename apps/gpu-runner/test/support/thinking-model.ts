/**
 * The tiny model of stories as one that thinks: with the added tokens of Qwen3, Mistral's special one, and a template of
 * Qwen3's structure. Its weights know nothing of thoughts, so tests bias it towards a mark, or constrain it.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const THINK = 502;
export const THINK_END = 507;
/** Special, as Mistral has it; the others are not, as Qwen has them. */
export const TOOL_CALLS = 510;

const ADDED: [id: number, content: string, special: boolean][] = [
  [THINK, '<think>', false],
  [THINK_END, '</think>', false],
  [TOOL_CALLS, '[TOOL_CALLS]', true],
];

/** `thinks`: the prompt begins the thought, as that of Qwen's and DeepSeek's models that only think; else the model may. */
const templateOf = (thinks: boolean): string => `{%- for tool in tools or [] %}{{ tool.function.name }}\n{% endfor %}
{%- for message in messages %}
{%- if message.role == 'assistant' and message.reasoning_content is string %}{{ '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{% endif %}
{{- message.content + '\\n' }}
{%- endfor %}
{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% ${thinks ? "else %}{{ '<think>\\n' }}{% " : ''}endif %}`;

interface TokenizerFile {
  added_tokens: object[];
  model: { vocab: Record<string, number> };
}

export async function makeThinkingModel(from: string, folder: string, { thinks }: { thinks: boolean }): Promise<string> {
  await mkdir(folder);
  for (const name of ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer_config.json']) await cp(path.join(from, name), path.join(folder, name));
  const tokenizer = JSON.parse(await readFile(path.join(from, 'tokenizer.json'), 'utf8')) as TokenizerFile;
  const taken = new Set(ADDED.map(([id]) => id));
  tokenizer.model.vocab = Object.fromEntries(Object.entries(tokenizer.model.vocab).filter(([, id]) => !taken.has(id)));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  tokenizer.added_tokens.push(...ADDED.map(([id, content, special]) => ({ id, content, ...flags, special })));
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(path.join(folder, 'chat_template.jinja'), templateOf(thinks));
  return folder;
}
