#include "store/read_bundle_db_io.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/db_io.h"

static bool
fails(sqlite3 *db, char *fault, size_t fault_size)
{
	snprintf(fault, fault_size, "%s", sqlite3_errmsg(db));
	return false;
}

static bool
open_foreign(const char *path, sqlite3 **db)
{
	char uri[DB_PATH_MAX + 64];
	int on = 0;

	snprintf(uri, sizeof uri, "file:%s?mode=ro&immutable=1", path);
	if (strpbrk(path, "?#%") != NULL ||
	    sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		return false;
	}
	sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, 1 << 22);
	sqlite3_limit(*db, SQLITE_LIMIT_COLUMN, 256);
	return sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on) == SQLITE_OK &&
	       sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on) == SQLITE_OK &&
	       sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on) == SQLITE_OK &&
	       db_run(*db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0") == DB_OK;
}

/* A view or a virtual table would compute its rows: only what lies there counts. */
static bool
is_plain_table(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	const int code =
		sqlite3_prepare_v2(db,
				   "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND"
				   " name = 'event' AND rootpage > 0 AND"
				   " sql NOT LIKE '%generated%' AND sql NOT LIKE '% as (%'",
				   -1, &statement, NULL);
	const bool is_plain = code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;

	sqlite3_finalize(statement);
	return is_plain;
}

static struct foreign_cell
cell_of(sqlite3_stmt *row, int column)
{
	struct foreign_cell cell = { .name = sqlite3_column_name(row, column) };

	switch (sqlite3_column_type(row, column)) {
	case SQLITE_NULL:
		cell.kind = FOREIGN_NULL;
		break;
	case SQLITE_INTEGER:
		cell.kind = FOREIGN_NUMBER;
		cell.number = sqlite3_column_int64(row, column);
		break;
	case SQLITE_TEXT:
		cell.kind = FOREIGN_TEXT;
		cell.text.at = sqlite3_column_text(row, column);
		cell.text.count = (size_t)sqlite3_column_bytes(row, column);
		break;
	default:
		cell.kind = FOREIGN_OTHER;
		break;
	}
	return cell;
}

static bool
read_rows(sqlite3 *db, foreign_row *visit, void *context)
{
	sqlite3_stmt *statement = db_prepare(db, "SELECT * FROM event ORDER BY rowid");
	struct foreign_cell cells[FOREIGN_COLUMNS_MAX];
	int code = SQLITE_ERROR;
	bool more = true;

	while (statement != NULL && more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		const int count = sqlite3_column_count(statement);
		size_t used = 0;

		for (int i = 0; i < count && used < FOREIGN_COLUMNS_MAX; i++) {
			cells[used++] = cell_of(statement, i);
		}
		more = visit(context, cells, used);
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE || code == SQLITE_ROW;
}

bool
foreign_db_read(const char *path, foreign_row *visit, void *context, char *fault, size_t fault_size)
{
	sqlite3 *db = NULL;
	const bool is_open = open_foreign(path, &db);
	/* The first statement opens the file. */
	const bool is_plain = is_open && is_plain_table(db);
	bool ok = is_plain;

	unlink(path);
	if (!is_open) {
		fails(db, fault, fault_size);
	} else if (!is_plain) {
		snprintf(fault, fault_size, "it has no plain table event");
	} else {
		ok = read_rows(db, visit, context) || fails(db, fault, fault_size);
	}
	db_close(db);
	return ok;
}
