/** A conversation and the functions that its next answer may call. */

export interface ChatMessage {
  /** `system`, `user`, `assistant` or `tool`; the model's template may know others. */
  role: string;
  content: string;
  /** What an assistant thought before it said that. */
  reasoning?: string;
  /** What an assistant has called, besides what it said. */
  toolCalls?: readonly ToolCall[];
  /** Of a `tool` message: the call whose result it is, and the name of the function. */
  toolCallId?: string;
  toolName?: string;
  /** Of an assistant's message with calls, for templates that want their results there. */
  toolResponses?: readonly ToolResponse[];
}

export interface ToolResponse {
  name: string;
  response: Readonly<Record<string, unknown>> | string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** An object, as templates expect them; a text where the model's call was no object. */
  arguments: Readonly<Record<string, unknown>> | string;
}

export interface Tool {
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  parameters?: Readonly<Record<string, unknown>>;
}

/** What else a template is given by name, such as Qwen3's `enable_thinking`. */
export type TemplateOptions = Readonly<Record<string, string | number | boolean | null>>;
