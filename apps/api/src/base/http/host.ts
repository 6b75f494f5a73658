import { BadRequestException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** Of two hosts one server believes the first and the next the last, so a request may name only one (RFC 9112, 3.2). */
export function requireHost(request: Request, response: Response, next: NextFunction): void {
  const problem = problemOf(request);
  if (problem === null) return next();
  response.setHeader('Connection', 'close');
  next(new BadRequestException(`Host: ${problem}`));
}

function problemOf({ headers: { host }, rawHeaders, httpVersion }: Request): string | null {
  const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  if (count > 1) return `found ${count}, expected one`;
  if (count === 0 && httpVersion === '1.1') return 'found none, expected one';
  const isReadable = !host || (!/[/?#@\\]/.test(host) && URL.canParse(`http://${host}`));
  return isReadable ? null : 'found no host, expected a name or an address, and maybe a port';
}
