/** The functions that a request offers to the model, and how much of a choice it leaves it. */
import { jsonSchemaSchema, toolNameSchema, TOOLS_MAX, type Tool } from '@aril/contracts';
import { z } from 'zod';
import { refuse, refuseType } from '../openai-error.js';
import { optional } from '../optional.js';

/** Arguments have names. A schema may leave unsaid that they are an object. */
const argumentsSchema = jsonSchemaSchema.refine(({ type }) => type === undefined || [type].flat().includes('object'), {
  path: ['type'],
  message: 'expected "object"',
});

export const functionSchema = z.object({
  name: toolNameSchema,
  description: optional(z.string()),
  parameters: optional(argumentsSchema),
  strict: optional(z.boolean()),
});

const byName = z.object({ type: z.literal('function'), function: z.object({ name: toolNameSchema }) });
const allowedTools = z.object({
  type: z.literal('allowed_tools'),
  allowed_tools: z.object({ mode: z.enum(['auto', 'required']), tools: z.array(byName).min(1).max(TOOLS_MAX) }),
});

export const TOOL_CHOICE = 'expected "none", "auto", "required", a function by name, or allowed_tools';

/** Those of `POST /v1/chat/completions`. */
export const toolFields = {
  tools: optional(z.array(z.object({ type: z.literal('function'), function: functionSchema })).max(TOOLS_MAX)),
  tool_choice: optional(z.union([z.enum(['none', 'auto', 'required']), byName, allowedTools], TOOL_CHOICE)),
  parallel_tool_calls: optional(z.boolean()),
};
type ToolFields = z.output<z.ZodObject<typeof toolFields>>;

/** What the model has to do: call as it sees fit, call something, or call the one function there is. */
type ToolDuty = 'auto' | 'required' | 'function';

export interface OfferedTool extends Tool {
  /** Where the caller has it, for what is said of it. */
  param: string;
  /** And its schema. */
  schemaParam: string;
  /** Whether its schema must be kept wholly where it is kept at all. */
  strict: boolean;
}

export interface OfferedTools {
  tools: readonly OfferedTool[];
  duty: ToolDuty;
  /** Whether one answer may call several. */
  parallel: boolean;
  /** Whether a constraint holds for the answer, so that calls are in forms that the engine knows. */
  isConstrained?: boolean;
}

/** A name, and the parameter it stands in. */
type Named = readonly [name: string, param: string];

/** What a caller says of them, whichever endpoint it came to. */
export interface ToolOffer {
  tools: readonly OfferedTool[];
  /** `names`: no others may be called. */
  choice: 'none' | 'auto' | 'required' | { duty: ToolDuty; names: readonly Named[] };
  parallel: boolean;
}

export function toolOffer({ tools = [], tool_choice: choice = 'auto', parallel_tool_calls: parallel = true }: ToolFields): ToolOffer {
  const given = tools.map(({ function: one }, index) => ({
    ...{ ...one, strict: one.strict ?? false },
    ...{ param: `tools[${index}].function`, schemaParam: `tools[${index}].function.parameters` },
  }));
  if (typeof choice === 'string') return { tools: given, choice, parallel };
  if (choice.type === 'function') return { tools: given, choice: { duty: 'function', names: [[choice.function.name, 'tool_choice.function.name']] }, parallel };
  const { mode, tools: allowed } = choice.allowed_tools;
  const names = allowed.map(({ function: { name } }, index): Named => [name, `tool_choice.allowed_tools.tools[${index}].function.name`]);
  return { tools: given, choice: { duty: mode, names }, parallel };
}

/** null: there are none, or they must not be called; then the model is not told of them either. */
export function offeredTools({ tools, choice, parallel }: ToolOffer): OfferedTools | null {
  checkUnique(tools);
  if (choice === 'none') return null;
  if (tools.length === 0) return choice === 'auto' ? null : refuse('tool_choice', 'tool_choice: allowed only with tools.');
  if (typeof choice === 'string') return { tools, duty: choice, parallel };
  const allowed = choice.names.map((named) => find(tools, named));
  return { tools: [...new Set(allowed)], duty: choice.duty, parallel: parallel && choice.duty !== 'function' };
}

/** As the model's template is told of them. */
export const toldTools = ({ tools }: OfferedTools): Tool[] =>
  tools.map(({ name, description, parameters }) => ({
    name,
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && { parameters }),
  }));

/** Custom tools and those that OpenAI runs itself are others. */
export function checkToolTypes(tools: unknown): void {
  if (!Array.isArray(tools)) return;
  tools.forEach((tool: unknown, index) => refuseType(tool, `tools[${index}]`, 'function tools', (type) => type === 'function'));
}

function checkUnique(tools: readonly OfferedTool[]): void {
  const seen = new Set<string>();
  for (const { name, param } of tools) {
    if (seen.has(name)) refuse(`${param}.name`, `${param}.name: expected a name of its own, found ${JSON.stringify(name)} twice.`);
    seen.add(name);
  }
}

function find(tools: readonly OfferedTool[], [name, param]: Named): OfferedTool {
  return tools.find((tool) => tool.name === name) ?? refuse(param, `${param}: expected the name of one of tools, found ${JSON.stringify(name)}.`);
}
