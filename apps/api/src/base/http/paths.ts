/** Paths that speak OpenAI's format and take API keys only; unknown routes and unreadable bodies included. Express ignores case. */
export const OPENAI_PATH = /^\/v1(\/|\?|$)/i;
/** Of them, those that speak Anthropic's instead. */
export const ANTHROPIC_PATH = /^\/v1\/messages(\/|\?|$)/i;
