/** The model's own chat template, a Jinja program of its files. */
import { Template } from '@huggingface/jinja';
import { randomUUID } from 'node:crypto';
import { EngineError } from '../engine-error.js';
import { writesChannels } from './channels.js';
import type { ChatMessage, TemplateOptions, Tool } from './conversation.js';
import { THOUGHT_ENDS } from './marks.js';
import { spellOutTables } from './number-tables.js';
import { withCallsInPython } from './python-calls.js';
import { withResultsInTurn, writesResultsInTurn } from './results-in-turn.js';
import { singleTyped } from './single-types.js';
import { readsVariable } from './template-variables.js';
import { inWords, toolShape, type ToolPlace } from './tool-prompt.js';
import { describedTools, oneCallPerTurn, thoughtBeforeCalls, withArgumentsAsJson, withPlainSchemas, withPlainValues, withShortIds } from './tool-turns.js';

/** What tokenizer_config.json can hold: one template, or several by name. */
export type NamedTemplates = string | { name: string; template: string }[];

interface Program {
  template: Template;
  /** Whether it knows the variable `tools`. */
  knowsTools: boolean;
  /** Whether it knows of thoughts: then its model has them. */
  knowsThoughts: boolean;
  /** Whether it knows how long its model may think, 0 being not at all (Seed-OSS). */
  knowsBudget: boolean;
  /** Whether it writes messages in channels: then its model does. */
  writesChannels: boolean;
  /** Whether it writes results into the turn of their calls. */
  writesResultsInTurn: boolean;
}

function program(source: string): Program {
  const template = new Template(source);
  spellOutTables(template.parsed);
  return {
    template,
    knowsTools: readsVariable(template.parsed, 'tools'),
    knowsThoughts: THOUGHT_ENDS.some((mark) => source.includes(mark)),
    knowsBudget: readsVariable(template.parsed, 'thinking_budget'),
    writesChannels: writesChannels(source),
    writesResultsInTurn: writesResultsInTurn(source),
  };
}

/** A chat could not be told at all, so this is not left until somebody asks. */
function parse(source: string): Program {
  try {
    return program(source);
  } catch (error) {
    throw new EngineError('model_unsupported', `chat_template: found a template that cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** What schemas of tools usually have: no description, a list, one of two types. */
const PROBES: readonly Tool[] = [
  {
    name: 'probe',
    description: 'A probe',
    parameters: {
      type: 'object',
      properties: { plain: { type: 'string' }, list: { type: 'array', items: { type: 'string' }, description: 'A list' }, either: { type: ['string', 'null'], description: 'A text' } },
      required: ['plain'],
    },
  },
];

/** Stands at the end of a message that is to be continued: where it is in what a template writes, the message ends. */
const HERE = `\u{E000}${randomUUID()}`;

export class ChatTemplate {
  /** Why some tools, or all, are told in words, or refused, although the model's files have a template for them; null: they are not. */
  readonly toolsNote: string | null;
  /** How it is given earlier calls. */
  private readonly callForm: CallForm;

  private constructor(
    private readonly plain: Program,
    private readonly withTools: Program,
    private readonly specialTokens: Readonly<Record<string, string>>,
    note: string | null,
    callsInPython: boolean,
  ) {
    this.callForm = this.tryArguments(callsInPython);
    this.toolsNote = note ?? this.tryTools();
  }

  /**
   * `chat_template.jinja` beats tokenizer_config.json. Of several, `default` is the usual one and `tool_use` that for tools.
   * `callsInPython`: the model writes calls as LFM2 does.
   */
  static choose(file: string | null, config: NamedTemplates | undefined, specialTokens: Record<string, string>, callsInPython = false): ChatTemplate | null {
    const named = file === null && Array.isArray(config) ? config : [];
    const find = (name: string): string | undefined => named.find((one) => one.name === name)?.template;
    const plain = file ?? (Array.isArray(config) ? (find('default') ?? named[0]?.template) : config);
    if (plain === undefined) return null;
    const parsed = parse(plain);
    const withTools = find('tool_use');
    try {
      return new ChatTemplate(parsed, withTools === undefined ? parsed : program(withTools), specialTokens, null, callsInPython);
    } catch (error) {
      return new ChatTemplate(parsed, parsed, specialTokens, `chat_template tool_use: ${(error as Error).message}`, callsInPython);
    }
  }

  /** A template can be sound and need what this Jinja lacks; what fails here would fail with tools like these. */
  private tryTools(): string | null {
    if (!this.withTools.knowsTools) return null;
    try {
      firstThatWorks(this.waysOfItsOwn([{ role: 'user', content: 'Hello' }], PROBES, {}));
      return null;
    } catch (error) {
      return (error as EngineError).message;
    }
  }

  private tryArguments(callsInPython: boolean): CallForm {
    const call = { id: 'probe1234', name: 'probe', arguments: { plain: HERE } };
    const called: ChatMessage[] = [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: '', toolCalls: [call] }];
    const tells = (messages: readonly ChatMessage[]): boolean => this.run(this.withTools, messages, PROBES).includes(HERE);
    try {
      if (tells(called)) return asTheyAre;
      if (tells(withArgumentsAsJson(called))) return withArgumentsAsJson;
      return callsInPython ? withCallsInPython : asTheyAre;
    } catch {
      return asTheyAre;
    }
  }

  /** Whether answers may begin with a thought. */
  get knowsThoughts(): boolean {
    return this.plain.knowsThoughts || this.withTools.knowsThoughts;
  }

  get writesChannels(): boolean {
    return this.plain.writesChannels;
  }

  /** The same up to where the text of the last message ends, which the answer continues. */
  renderUnfinished(messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions = {}): string {
    const last = messages.at(-1);
    if (last?.role !== 'assistant') throw new EngineError('bad_argument', `messages: found a last message of the role ${JSON.stringify(last?.role ?? null)}, expected one of the assistant to continue`);
    const text = this.render([...messages.slice(0, -1), { ...last, content: last.content + HERE }], tools, options);
    const end = text.lastIndexOf(HERE);
    if (end < 0) throw new EngineError('bad_argument', "messages: the model's chat template leaves out the last message, so it cannot be continued");
    return text.slice(0, end);
  }

  /**
   * The conversation as the model was trained to see it, up to where its answer begins; its special tokens are written
   * out. `options` cannot take the place of any of these. Throws EngineError `bad_argument` when the template refuses the
   * conversation.
   */
  render(messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions = {}): string {
    const { plain, withTools } = this;
    const speaksOfTools = tools.length > 0 || messages.some(({ role, toolCalls }) => role === 'tool' || toolCalls);
    if (!speaksOfTools) return this.run(plain, messages, [], options);
    const told = (): string => this.runInWords(messages, tools, options);
    if (!withTools.knowsTools) return told();
    const ways = this.waysOfItsOwn(messages, tools, options);
    // In channels nobody would read calls in the form that is told.
    return firstThatWorks(withTools.writesChannels ? ways : [...ways, told]);
  }

  /** As the messages are; then in the forms that it may insist on. */
  private waysOfItsOwn(messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions): Way[] {
    const run = (form: readonly ChatMessage[], offered = tools): string => this.run(this.withTools, this.callForm(form), offered, options);
    if (this.withTools.writesChannels) {
      // A message has one channel: of several calls such a template would tell the first alone.
      const single = oneCallPerTurn(messages);
      return [single, thoughtBeforeCalls(single)].flatMap((form): Way[] => [() => run(form), () => run(form, describedTools(tools))]);
    }
    if (this.withTools.writesResultsInTurn) return [() => withResultsInTurn(messages, (form) => run(form, singleTyped(tools)))];
    const short = withShortIds(messages);
    const plain = withPlainValues(messages);
    const plainTools = withPlainSchemas(tools);
    return [() => run(messages), () => run(short), () => run(oneCallPerTurn(short)), () => run(plain), () => run(plain, plainTools), () => run(plain, singleTyped(plainTools))];
  }

  private runInWords(messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions = {}): string {
    const told = (place: ToolPlace): string => this.run(this.plain, inWords(messages, tools, place), [], options);
    try {
      return told('system');
    } catch {
      return told('user');
    }
  }

  private run({ template, writesChannels, knowsBudget }: Program, messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions = {}): string {
    try {
      return template.render({
        ...(knowsBudget && options.enable_thinking === false && { thinking_budget: 0 }),
        ...(writesChannels ? inTrainedEfforts(options) : options),
        ...this.specialTokens,
        messages: messages.map(messageShape),
        add_generation_prompt: !messages.at(-1)?.content.endsWith(HERE),
        tools: tools.length > 0 ? tools.map(toolShape) : null,
      });
    } catch (error) {
      throw new EngineError('bad_argument', `messages: the model's chat template refused them: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

type Way = () => string;
/** As they are; as JSON, where it writes arguments out as they are and would lose objects; or as text, where it leaves calls out. */
type CallForm = (messages: readonly ChatMessage[]) => readonly ChatMessage[];
const asTheyAre: CallForm = (messages) => messages;

/** Models that answer in channels know three. */
const EFFORTS: Readonly<Record<string, string>> = { none: 'low', minimal: 'low', xhigh: 'high', max: 'high' };

function inTrainedEfforts({ reasoning_effort: effort, ...options }: TemplateOptions): TemplateOptions {
  if (effort === undefined) return options.enable_thinking === false ? { ...options, reasoning_effort: 'low' } : options;
  return { ...options, reasoning_effort: EFFORTS[String(effort)] ?? effort };
}

/** Of the errors the first is thrown: the others are not of what the caller wrote. */
function firstThatWorks([way, ...others]: readonly Way[]): string {
  if (!way) throw new Error('there is no way left');
  try {
    return way();
  } catch (error) {
    try {
      return firstThatWorks(others);
    } catch {
      throw error;
    }
  }
}

/** As templates have it; what a message lacks must not be there at all, because they ask whether it is. */
function messageShape({ role, content, reasoning, toolCalls, toolCallId, toolName, toolResponses }: ChatMessage): Record<string, unknown> {
  const calls = toolCalls?.map(({ id, name, arguments: given }) => ({ id, type: 'function', function: { name, arguments: given } }));
  return {
    role,
    content,
    // Most templates' name, and gpt-oss's.
    ...(reasoning !== undefined && { reasoning_content: reasoning, thinking: reasoning }),
    ...(calls && { tool_calls: calls }),
    ...(toolResponses && { tool_responses: toolResponses }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolName !== undefined && { name: toolName }),
  };
}
