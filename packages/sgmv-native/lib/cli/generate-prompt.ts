import { text as readAll } from 'node:stream/consumers';
import type { ChatMessage } from '../chat/conversation.js';
import type { ModelTokenizer } from '../tokenizer.js';
import { CliError } from './cli-error.js';

export interface PromptOptions {
  prompt?: string;
  chat?: string;
  system?: string;
  prediction?: string;
}

/** `-` stands for what is piped in, without the line end that `echo` and editors add. */
const given = async (text: string): Promise<string> =>
  text === '-' ? (await readAll(process.stdin)).replace(/\r?\n$/, '') : text;

/** Those of `--prediction`, if there is one. */
export async function readPrediction(tokenizer: ModelTokenizer, { prediction }: PromptOptions): Promise<number[] | undefined> {
  return prediction === undefined ? undefined : tokenizer.encode(await given(prediction), { addSpecialTokens: false });
}

/** The tokens of `--prompt` (continued as it is) or `--chat` (answered, through the model's chat template). */
export async function readPrompt(tokenizer: ModelTokenizer, options: PromptOptions): Promise<number[]> {
  const { prompt, chat, system } = options;
  if ((prompt === undefined) === (chat === undefined)) {
    const found = prompt === undefined ? 'neither' : 'both';
    throw new CliError('bad_argument', `Found ${found} of --prompt and --chat; expected one of them.`);
  }
  if (prompt !== undefined) {
    if (system !== undefined)
      throw new CliError('bad_argument', '--system: goes with --chat; --prompt is continued as it is.');
    return tokenizer.encode(await given(prompt));
  }
  const messages: ChatMessage[] = [{ role: 'user', content: await given(chat ?? '') }];
  if (system !== undefined) messages.unshift({ role: 'system', content: system });
  return tokenizer.chat(messages);
}
