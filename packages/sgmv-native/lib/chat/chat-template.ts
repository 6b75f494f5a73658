/** The model's own chat template, a Jinja program of its files. */
import { Template } from '@huggingface/jinja';
import { EngineError } from '../engine-error.js';
import type { ChatMessage, TemplateOptions, Tool } from './conversation.js';
import { inWords, toolShape, type ToolPlace } from './tool-prompt.js';

/** What tokenizer_config.json can hold: one template, or several by name. */
export type NamedTemplates = string | { name: string; template: string }[];

interface Program {
  template: Template;
  /** Whether it knows the variable `tools`. */
  knowsTools: boolean;
}

const program = (source: string): Program => ({ template: new Template(source), knowsTools: /\btools\b/.test(source) });

export class ChatTemplate {
  private constructor(
    private readonly plain: Program,
    private readonly withTools: Program,
    private readonly specialTokens: Readonly<Record<string, string>>,
  ) {}

  /** `chat_template.jinja` beats tokenizer_config.json. Of several, `default` is the usual one and `tool_use` that for tools. */
  static choose(file: string | null, config: NamedTemplates | undefined, specialTokens: Record<string, string>): ChatTemplate | null {
    const named = file === null && Array.isArray(config) ? config : [];
    const find = (name: string): string | undefined => named.find((one) => one.name === name)?.template;
    const plain = file ?? (Array.isArray(config) ? (find('default') ?? named[0]?.template) : config);
    if (plain === undefined) return null;
    return new ChatTemplate(program(plain), program(find('tool_use') ?? plain), specialTokens);
  }

  /**
   * The conversation as the model was trained to see it, up to where its answer begins; its special tokens are written
   * out. `options` cannot take the place of any of these. Throws EngineError `bad_argument` when the template refuses the
   * conversation.
   */
  render(messages: readonly ChatMessage[], tools: readonly Tool[], options: TemplateOptions): string {
    const { plain, withTools } = this;
    const speaksOfTools = tools.length > 0 || messages.some(({ role, toolCalls }) => role === 'tool' || toolCalls);
    if (!speaksOfTools) return this.run(plain, { ...options, ...variables(messages, []) });
    if (withTools.knowsTools) return this.run(withTools, { ...options, ...variables(messages, tools) });
    const told = (place: ToolPlace): string => this.run(plain, { ...options, ...variables(inWords(messages, tools, place), []) });
    try {
      return told('system');
    } catch {
      return told('user');
    }
  }

  private run({ template }: Program, given: Record<string, unknown>): string {
    try {
      return template.render({ ...given, ...this.specialTokens });
    } catch (error) {
      throw new EngineError('bad_argument', `messages: the model's chat template refused them: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

const variables = (messages: readonly ChatMessage[], tools: readonly Tool[]): Record<string, unknown> => ({
  messages: messages.map(messageShape),
  add_generation_prompt: true,
  tools: tools.length > 0 ? tools.map(toolShape) : null,
});

/** As templates have it; what a message lacks must not be there at all, because they ask whether it is. */
function messageShape({ role, content, toolCalls, toolCallId, toolName }: ChatMessage): Record<string, unknown> {
  const calls = toolCalls?.map(({ id, name, arguments: given }) => ({ id, type: 'function', function: { name, arguments: given } }));
  return {
    role,
    content,
    ...(calls && { tool_calls: calls }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
    ...(toolName !== undefined && { name: toolName }),
  };
}
