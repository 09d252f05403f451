/* The tables and views of evidence.db, as SQL. */
#ifndef IFSWARM_STORE_EVIDENCE_DB_SCHEMA_H
#define IFSWARM_STORE_EVIDENCE_DB_SCHEMA_H

extern const char *const evidence_db_schema;

#endif
