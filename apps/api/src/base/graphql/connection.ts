/** Relay connections: https://relay.dev/graphql/connections.htm */
import type { Type } from '@nestjs/common';
import { ArgsType, Field, Int, ObjectType } from '@nestjs/graphql';
import { ArilError } from '@aril/contracts';
import { z } from 'zod';

@ObjectType()
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
}

export interface Edge<T> {
  cursor: string;
  node: T;
}

export interface Connection<T> {
  edges: Edge<T>[];
  nodes: T[];
  pageInfo: PageInfo;
  totalCount: number;
}

/** The connection and edge types of a node type, named after it. */
export function connectionOf<T>(node: Type<T>, name: string): Type<Connection<T>> {
  @ObjectType(`${name}Edge`)
  class NodeEdge implements Edge<T> {
    @Field(() => String)
    cursor!: string;

    @Field(() => node)
    node!: T;
  }

  @ObjectType(`${name}Connection`)
  class NodeConnection implements Connection<T> {
    @Field(() => [NodeEdge])
    edges!: NodeEdge[];

    @Field(() => [node])
    nodes!: T[];

    @Field(() => PageInfo)
    pageInfo!: PageInfo;

    @Field(() => Int)
    totalCount!: number;
  }
  return NodeConnection;
}

/** Where a page begins: just after the row with this creation time and id. It survives deletes and inserts. */
export interface Position {
  createdAt: Date;
  id: string;
}

const positionSchema = z.tuple([z.iso.datetime().regex(/^(?!0000)/), z.uuid()]);

export const encodeCursor = ({ createdAt, id }: Position): string =>
  Buffer.from(JSON.stringify([createdAt.toISOString(), id])).toString('base64url');

export function decodeCursor(cursor: string): Position {
  try {
    const [createdAt, id] = positionSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
    return { createdAt: new Date(createdAt), id };
  } catch (cause) {
    throw new ArilError('BAD_INPUT', 'after: expected a cursor of an earlier page', 'after', { cause });
  }
}

const PAGE_SIZE_DEFAULT = 20;
const PAGE_SIZE_MAX = 100;

@ArgsType()
export class PageArgs {
  @Field(() => Int, { nullable: true, defaultValue: PAGE_SIZE_DEFAULT })
  first!: number | null;

  @Field(() => String, { nullable: true })
  after!: string | null;
}

/** What is asked for, checked; `after` null: the beginning. */
export interface Page<P = Position> {
  first: number;
  after: P | null;
}

/** @throws BAD_INPUT naming the argument. */
export function pageOf<P>({ first, after }: PageArgs, decode: (cursor: string) => P): Page<P> {
  const size = first ?? PAGE_SIZE_DEFAULT;
  if (size >= 1 && size <= PAGE_SIZE_MAX) return { first: size, after: after ? decode(after) : null };
  throw new ArilError('BAD_INPUT', `first: found ${size}, expected 1 to ${PAGE_SIZE_MAX}`, 'first');
}

/** `rows` may hold one more than `first`: that one tells that there is another page. */
export function toConnection<R, T>(
  rows: R[],
  page: Page<unknown> & { totalCount: number },
  toNode: (row: R) => T,
  toCursor: (row: R) => string,
): Connection<T> {
  const shown = rows.slice(0, page.first);
  const edges = shown.map((row) => ({ cursor: toCursor(row), node: toNode(row) }));
  const pageInfo = {
    hasNextPage: rows.length > page.first,
    hasPreviousPage: page.after !== null,
    startCursor: edges[0]?.cursor ?? null,
    endCursor: edges.at(-1)?.cursor ?? null,
  };
  return { edges, nodes: edges.map((edge) => edge.node), pageInfo, totalCount: page.totalCount };
}
