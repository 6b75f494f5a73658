/**
 * Prisma's `pg` adapter, adjusted to what the schema engine asks of it and a query engine never does: columns of
 * Postgres's internal one-byte "char" type in pg_catalog, and a shadow database dropped while still connected to.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';

/** Type ids of pg_type: the adapter refuses 18, so such columns are read as text under a marked name. */
const CHAR_TYPE = 18;
const TEXT_TYPE = 25;
const CHAR_MARK = '\u0000char';

const handleRowDescription = pg.Query.prototype.handleRowDescription;
pg.Query.prototype.handleRowDescription = function (message) {
  for (const field of message.fields.filter(({ dataTypeID }) => dataTypeID === CHAR_TYPE)) {
    field.dataTypeID = TEXT_TYPE;
    field.name += CHAR_MARK;
  }
  return handleRowDescription.call(this, message);
};

/** Takes the mark off again and tells the engine what the column was. */
function withCharacters(queryable) {
  const queryRaw = queryable.queryRaw.bind(queryable);
  queryable.queryRaw = async (query) => {
    const result = await queryRaw(query);
    result.columnNames.forEach((name, i) => {
      if (!name.endsWith(CHAR_MARK)) return;
      result.columnNames[i] = name.slice(0, -CHAR_MARK.length);
      result.columnTypes[i] = ColumnTypeEnum.Character;
    });
    return result;
  };
  return queryable;
}

/**
 * The adapter's own version cuts scripts at every semicolon, also inside comments and function bodies. Postgres
 * itself takes a whole script in one message, and runs it in one transaction.
 */
function withWholeScripts(connection) {
  connection.executeScript = async (script) => {
    try {
      // The shadow database is dropped before the adapter has closed its own connections to it.
      await connection.client.query(
        script.replace(/^DROP DATABASE ("[^"]+")$/, 'DROP DATABASE $1 WITH (FORCE)'),
      );
    } catch (error) {
      connection.onError(error);
    }
  };
  return connection;
}

export class MigrationAdapterFactory extends PrismaPg {
  async connect() {
    return withWholeScripts(withCharacters(await super.connect()));
  }

  async connectToShadowDb() {
    return withWholeScripts(withCharacters(await super.connectToShadowDb()));
  }
}
