import OpenAI from 'openai';
import type { TestApp } from './harness.js';

/** The official client, which tells what it is answered: nothing is tried twice. */
export const openaiClient = (test: TestApp, key: { authorization: string }): OpenAI =>
  new OpenAI({ baseURL: `${test.url}/v1`, apiKey: key.authorization.replace('Bearer ', ''), maxRetries: 0 });
