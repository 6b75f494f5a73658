/** Relay connections: https://relay.dev/graphql/connections.htm */
import type { Type } from '@nestjs/common';
import { Field, Int, ObjectType } from '@nestjs/graphql';
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

export const PAGE_SIZE_MAX = 100;

export function checkPageSize(first: number): number {
  if (first >= 1 && first <= PAGE_SIZE_MAX) return first;
  throw new ArilError('BAD_INPUT', `first: found ${first}, expected 1 to ${PAGE_SIZE_MAX}`, 'first');
}

/** `rows` may hold one more than `first`: that one tells that there is another page. */
export function toConnection<R extends Position, T>(
  rows: R[],
  page: { first: number; after: Position | null; totalCount: number },
  toNode: (row: R) => T,
): Connection<T> {
  return toConnectionBy(rows, page, toNode, encodeCursor);
}

/** For rows in another order than that of their creation, which their cursors have to tell. */
export function toConnectionBy<R, T>(
  rows: R[],
  page: { first: number; after: unknown; totalCount: number },
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
