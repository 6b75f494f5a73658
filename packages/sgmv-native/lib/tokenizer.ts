import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { findChannelTokens, type ChannelTokens } from './chat/channels.js';
import { ChatTemplate, type NamedTemplates } from './chat/chat-template.js';
import type { ChatMessage, TemplateOptions, Tool } from './chat/conversation.js';
import { PYTHON_CALLS_BEGIN } from './chat/marks.js';
import { EngineError } from './engine-error.js';
import { TokenFloor } from './token-floor.js';
import { findMarkTokens, readVocabulary, type MarkTokens, type TokenizerJson } from './vocabulary.js';

interface TokenizerConfig {
  chat_template?: NamedTemplates;
  [key: string]: unknown;
}

interface ModelFiles {
  tokenizer: TokenizerJson;
  config: TokenizerConfig;
  model: Record<string, unknown>;
  /** chat_template.jinja, where there is one. */
  templateFile: string | null;
}

async function readOptional(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Python writes what JSON has not: `Infinity`, as of `time_step_limit` in config.json. Nothing here reads such a number. */
const withoutInfinity = (text: string): string => text.replace(/([[:,]\s*)-?(?:Infinity|NaN)(?=\s*[,\]}])/g, '$1null');

function parse<T>(text: string, file: string): T {
  try {
    return JSON.parse(file === 'config.json' ? withoutInfinity(text) : text) as T;
  } catch (error) {
    throw new EngineError('model_corrupt', `${file} is not JSON: ${(error as Error).message}`);
  }
}

async function readFiles(folder: string): Promise<ModelFiles> {
  const [tokenizer, config, model, template] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'chat_template.jinja'].map((file) =>
      readOptional(join(folder, file)),
    ),
  );
  if (tokenizer == null) throw new EngineError('model_not_found', `tokenizer.json: not found in ${folder}.`);
  const tokenizerConfig = parse<TokenizerConfig>(config ?? '{}', 'tokenizer_config.json');
  return {
    tokenizer: parse(tokenizer, 'tokenizer.json'),
    config: tokenizerConfig,
    model: parse(model ?? '{}', 'config.json'),
    templateFile: template ?? null,
  };
}

/** The model's own tokenizer and chat template. Same tokens as Hugging Face's Python libraries give. */
export class ModelTokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate | null;

  private constructor(private readonly files: ModelFiles) {
    this.#tokenizer = new Tokenizer(files.tokenizer, files.config);
    const callsInPython = files.tokenizer.added_tokens?.some(({ content }) => content === PYTHON_CALLS_BEGIN) ?? false;
    this.#template = ChatTemplate.choose(files.templateFile, files.config.chat_template, this.#findSpecialTokens(), callsInPython);
  }

  /** Reads tokenizer.json and, where there, tokenizer_config.json, chat_template.jinja and config.json. */
  static async load(folder: string): Promise<ModelTokenizer> {
    return new ModelTokenizer(await readFiles(folder));
  }

  get hasChatTemplate(): boolean {
    return this.#template !== null;
  }

  /** Whether its answers may begin with a thought, `<think>…</think>`; from its template. */
  get hasThoughts(): boolean {
    return this.#template?.knowsThoughts ?? false;
  }

  /** Of a model that answers in channels; null: it does not, as its template and its tokens say. */
  get channels(): ChannelTokens | null {
    return this.#template?.writesChannels ? findChannelTokens(this.files.tokenizer) : null;
  }

  /** Why the model's own template for tools is not used for all tools, which are then told in words; null: it is. */
  get toolsNote(): string | null {
    return this.#template?.toolsNote ?? null;
  }

  /** `addSpecialTokens`: with what the model's post-processor adds, usually the begin token. Default true. */
  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids;
  }

  /** How many tokens a text has at least. The object is small and does not keep the tokenizer. */
  floor(): TokenFloor {
    return new TokenFloor(this.files.tokenizer, this.files.config);
  }

  /** The tokens of what `render` gives. */
  chat(messages: readonly ChatMessage[], tools: readonly Tool[] = [], options: TemplateOptions = {}): number[] {
    return this.encode(this.render(messages, tools, options), { addSpecialTokens: false });
  }

  /**
   * The conversation as the model was trained to see it, up to where its answer begins or, with `continueFinal`, up to where
   * the text of the last message, an assistant's, ends; its special tokens are written out. Tools that the template does not
   * know are told in words. Throws EngineError `bad_argument` when there is no template or the template refuses the
   * conversation.
   */
  render(messages: readonly ChatMessage[], tools: readonly Tool[] = [], options: TemplateOptions = {}, { continueFinal = false } = {}): string {
    const template = this.#template;
    if (!template) throw new EngineError('bad_argument', 'messages: the model has no chat template; expected a prompt.');
    return continueFinal ? template.renderUnfinished(messages, tools, options) : template.render(messages, tools, options);
  }

  decode(tokens: number[]): string {
    return this.#tokenizer.decode(tokens, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  }

  /** How the model's files write the token, such as `<|im_end|>`; empty for an id that stands for nothing. */
  nameOf(token: number): string {
    return this.#tokenizer.id_to_token(token) ?? '';
  }

  /** Index = token id; null for special tokens. For `EngineOptions.vocabulary`. */
  vocabulary(): (Uint8Array | null)[] {
    return readVocabulary(this.files.tokenizer);
  }

  /** Special tokens to which `vocabulary` gives text. */
  markTokens(): MarkTokens {
    return findMarkTokens(this.files.tokenizer);
  }

  /** `bos_token` and the like, which templates write out. */
  #findSpecialTokens(): Record<string, string> {
    const tokens: Record<string, string> = {};
    for (const name of ['bos_token', 'eos_token', 'unk_token', 'pad_token']) {
      const value = this.files.config[name] as string | { content?: string } | null | undefined;
      // Some models have several end tokens; templates write out the first.
      const id = [this.files.model[`${name}_id`]].flat()[0];
      const found = typeof value === 'string' ? value : value?.content;
      const text = found ?? (typeof id === 'number' ? this.#tokenizer.id_to_token(id) : undefined);
      if (text !== undefined) tokens[name] = text;
    }
    return tokens;
  }
}
