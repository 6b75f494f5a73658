/**
 * The tiny model of stories as one that thinks: with the added tokens of Qwen3, Mistral's special one, and a template of
 * Qwen3's structure; as one that answers in channels, with gpt-oss's; or with Gemma 4's marks. Its weights know nothing of either, so tests bias it
 * towards a mark, or constrain it.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export const THINK = 502;
export const THINK_END = 507;
/** Special, as Mistral has it; the others are not, as Qwen has them. */
export const TOOL_CALLS = 510;

/** Gemma 4's, all special. */
export const GEMMA = { BEGIN: 500, END: 501, CALL: 502, CALL_END: 503, QUOTE: 504, RESULTS: 505 } as const;

/** Of answers in channels. */
export const MARK = { START: 500, CHANNEL: 501, MESSAGE: 502, CONSTRAIN: 503, END: 504, RETURN: 505, CALL: 506 } as const;

type Added = [id: number, content: string, special: boolean];
const ADDED: Added[] = [
  [THINK, '<think>', false],
  [THINK_END, '</think>', false],
  [TOOL_CALLS, '[TOOL_CALLS]', true],
];

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

const CHANNELS = `{%- for tool in tools or [] %}{{ tool.function.name }}\n{% endfor %}
{%- for message in messages %}{{ '<|start|>' + message.role + '<|message|>' + message.content + '<|end|>' }}{% endfor -%}
<|start|>assistant{% if false %}<|channel|>{% endif %}`;

/** `thinks`: the prompt begins the thought, as that of Qwen's and DeepSeek's models that only think; else the model may. */
export const makeThinkingModel = (from: string, folder: string, { thinks }: { thinks: boolean }): Promise<string> => makeModel(from, folder, ADDED, templateOf(thinks));

export const makeModelOfChannels = (from: string, folder: string): Promise<string> =>
  makeModel(from, folder, Object.entries(MARK).map(([name, id]): Added => [id, `<|${name.toLowerCase()}|>`, true]), CHANNELS);

const GEMMA_NAMES: Record<keyof typeof GEMMA, string> = { BEGIN: '<|channel>', END: '<channel|>', CALL: '<|tool_call>', CALL_END: '<tool_call|>', QUOTE: '<|"|>', RESULTS: '<|tool_response>' };

const GEMMAS = `{%- for tool in tools or [] %}{{ tool.function.name }}\n{% endfor %}
{%- for message in messages %}{{ message.role + '\n' + message.content + '\n' }}{% endfor %}
{%- if not enable_thinking %}{{ '<|channel>thought\n<channel|>' }}{% endif %}`;

export const makeGemma = (from: string, folder: string): Promise<string> =>
  makeModel(from, folder, Object.entries(GEMMA_NAMES).map(([name, content]): Added => [GEMMA[name as keyof typeof GEMMA], content, true]), GEMMAS);

async function makeModel(from: string, folder: string, added: readonly Added[], template: string): Promise<string> {
  await mkdir(folder);
  for (const name of ['config.json', 'generation_config.json', 'model.safetensors', 'tokenizer_config.json']) await cp(path.join(from, name), path.join(folder, name));
  const tokenizer = JSON.parse(await readFile(path.join(from, 'tokenizer.json'), 'utf8')) as TokenizerFile;
  const taken = new Set(added.map(([id]) => id));
  tokenizer.model.vocab = Object.fromEntries(Object.entries(tokenizer.model.vocab).filter(([, id]) => !taken.has(id)));
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  tokenizer.added_tokens.push(...added.map(([id, content, special]) => ({ id, content, ...flags, special })));
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(path.join(folder, 'chat_template.jinja'), template);
  return folder;
}
