/** The functions that a request offers to the model, and how much of a choice it leaves it. */
import { TOOLS_MAX, toolNameSchema, jsonSchemaSchema, type Tool } from '@aril/contracts';
import { z } from 'zod';
import { refuse } from '../openai-error.js';
import { optional } from '../optional.js';

const named = z.object({ name: toolNameSchema });

/** Arguments have names. A schema may leave unsaid that they are an object. */
const argumentsSchema = jsonSchemaSchema.refine(({ type }) => type === undefined || [type].flat().includes('object'), {
  path: ['type'],
  message: 'expected "object"',
});

const functionSchema = z.object({
  ...named.shape,
  description: optional(z.string()),
  parameters: optional(argumentsSchema),
  strict: optional(z.boolean()),
});
export type FunctionDefinition = z.output<typeof functionSchema>;

const byName = z.object({ type: z.literal('function'), function: named });
const allowedTools = z.object({
  type: z.literal('allowed_tools'),
  allowed_tools: z.object({ mode: z.enum(['auto', 'required']), tools: z.array(byName).min(1).max(TOOLS_MAX) }),
});

export const toolFields = {
  tools: optional(z.array(z.object({ type: z.literal('function'), function: functionSchema })).max(TOOLS_MAX)),
  tool_choice: optional(
    z.union(
      [z.enum(['none', 'auto', 'required']), byName, allowedTools],
      'expected "none", "auto", "required", a function by name, or allowed_tools',
    ),
  ),
  parallel_tool_calls: optional(z.boolean()),
};
type ToolFields = z.output<z.ZodObject<typeof toolFields>>;

/** What the model has to do: call as it sees fit, call something, or call the one function there is. */
export type ToolDuty = 'auto' | 'required' | 'function';

export interface OfferedTool extends Tool {
  /** Where the caller has it, for what is said of it. */
  param: string;
  /** Whether its schema must be kept wholly where it is kept at all. */
  strict: boolean;
}

export interface OfferedTools {
  tools: readonly OfferedTool[];
  duty: ToolDuty;
  /** Whether one answer may call several. */
  parallel: boolean;
}

/** null: there are none, or they must not be called; then the model is not told of them either. */
export function offeredTools(body: ToolFields): OfferedTools | null {
  const given = (body.tools ?? []).map(({ function: one }, index) => offered(one, `tools[${index}].function`));
  checkUnique(given);
  const choice = body.tool_choice ?? 'auto';
  if (choice === 'none') return null;
  if (given.length === 0) return choice === 'auto' ? null : refuse('tool_choice', 'tool_choice: allowed only with tools.');
  const parallel = body.parallel_tool_calls ?? true;
  if (typeof choice === 'string') return { tools: given, duty: choice, parallel };
  if (choice.type === 'function') return { tools: [find(given, choice.function.name, 'tool_choice.function.name')], duty: 'function', parallel: false };
  const { mode, tools } = choice.allowed_tools;
  const allowed = tools.map(({ function: { name } }, index) => find(given, name, `tool_choice.allowed_tools.tools[${index}].function.name`));
  return { tools: [...new Set(allowed)], duty: mode, parallel };
}

const offered = ({ name, description, parameters, strict }: FunctionDefinition, param: string): OfferedTool => ({
  name,
  ...(description !== undefined && { description }),
  ...(parameters !== undefined && { parameters }),
  param,
  strict: strict ?? false,
});

/** As the model's template is told of them. */
export const toldTools = ({ tools }: OfferedTools): Tool[] => tools.map(({ param: _param, strict: _strict, ...tool }) => tool);

function checkUnique(tools: readonly OfferedTool[]): void {
  const seen = new Set<string>();
  for (const { name, param } of tools) {
    if (seen.has(name)) refuse(`${param}.name`, `${param}.name: expected a name of its own, found ${JSON.stringify(name)} twice.`);
    seen.add(name);
  }
}

function find(tools: readonly OfferedTool[], name: string, param: string): OfferedTool {
  return tools.find((tool) => tool.name === name) ?? refuse(param, `${param}: expected the name of one of tools, found ${JSON.stringify(name)}.`);
}
