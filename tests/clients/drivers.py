"""The drivers under one face: rows of a statement, or a `Refused` with the server's fields."""

import csv
import io
import os
import re
import subprocess
from contextlib import contextmanager
from unittest import mock

import psycopg
import psycopg2
import psycopg2.extensions
import redshift_connector


class Refused(Exception):
    """The server's error, by its fields."""

    def __init__(self, sqlstate, message, detail, hint):
        super().__init__(f"{sqlstate} {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail or ""
        self.hint = hint or ""


class Psycopg2:
    name = "psycopg2"
    server_cursors = True
    transactions = True

    def __init__(self, demo, user, password, autocommit=True):
        with self.refusals():
            self.connection = psycopg2.connect(**demo.libpq(user, password), application_name=self.name)
        self.connection.autocommit = autocommit

    @contextmanager
    def refusals(self):
        try:
            yield
        except psycopg2.Error as error:
            if error.pgcode is None:
                raise login_refusal(str(error)) from error
            found = error.diag
            raise Refused(error.pgcode, found.message_primary, found.message_detail, found.message_hint) from error

    def rows(self, sql):
        with self.refusals(), self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def fetched(self, sql, size):
        """The rows of a server-side cursor, fetched in pieces."""
        with self.refusals(), self.connection.cursor("pieces") as cursor:
            cursor.itersize = size
            cursor.execute(sql)
            return list(cursor)

    def notices(self):
        return "".join(self.connection.notices)

    def in_failed_transaction(self):
        status = self.connection.get_transaction_status()
        return status == psycopg2.extensions.TRANSACTION_STATUS_INERROR

    def rollback(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


class Psycopg3:
    name = "psycopg"
    server_cursors = True
    transactions = True

    def __init__(self, demo, user, password, autocommit=True):
        self.seen = []
        with self.refusals():
            self.connection = psycopg.connect(
                **demo.libpq(user, password), application_name=self.name, autocommit=autocommit
            )
        self.connection.add_notice_handler(lambda notice: self.seen.append(notice.message_primary))

    @contextmanager
    def refusals(self):
        try:
            yield
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise login_refusal(str(error)) from error
            found = error.diag
            raise Refused(error.sqlstate, found.message_primary, found.message_detail, found.message_hint) from error

    def rows(self, sql):
        # Binary results and a prepared statement: the extended protocol.
        with self.refusals(), self.connection.cursor() as cursor:
            cursor.execute(sql, prepare=True)
            return cursor.fetchall() if cursor.description else []

    def fetched(self, sql, size):
        with self.refusals(), self.connection.cursor("pieces") as cursor:
            cursor.itersize = size
            cursor.execute(sql)
            return list(cursor)

    def notices(self):
        return "".join(self.seen)

    def in_failed_transaction(self):
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR

    def rollback(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


class RedshiftConnector:
    name = "redshift_connector"
    server_cursors = False
    transactions = False

    def __init__(self, demo, user, password, autocommit=True):
        # The driver has no setting for an authority of one's own; OpenSSL's variable is one.
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": demo.ca}), self.refusals():
            self.connection = redshift_connector.connect(
                host="localhost", port=demo.port, database=demo.database, user=user, password=password,
                ssl=True, sslmode="verify-full", application_name=self.name,
            )
        self.connection.autocommit = autocommit

    @contextmanager
    def refusals(self):
        try:
            yield
        except redshift_connector.Error as error:
            fields = error.args[0] if error.args else ""
            if not isinstance(fields, dict):
                raise
            raise Refused(fields["C"], fields["M"], fields.get("D"), fields.get("H")) from error

    def rows(self, sql):
        with self.refusals():
            cursor = self.connection.cursor()
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def notices(self):
        return "".join(str(notice) for notice in self.connection.notices)

    def rollback(self):
        self.connection.rollback()

    def close(self):
        self.connection.close()


class Psql:
    """A process for each statement; values are texts."""

    name = "psql"
    server_cursors = False
    transactions = False

    def __init__(self, demo, user, password, autocommit=True):
        assert autocommit
        self.target = (
            f"host=localhost port={demo.port} dbname={demo.database} user={user} "
            f"sslmode=verify-full sslrootcert={demo.ca} application_name=psql"
        )
        self.env = {**os.environ, "PGPASSWORD": password, "LC_ALL": "C"}
        self.errors = ""
        self.rows("SELECT 1")

    def rows(self, sql):
        command = ["psql", "--no-psqlrc", "--csv", "--tuples-only", "--quiet", "-v", "ON_ERROR_STOP=1"]
        command += ["-v", "VERBOSITY=verbose", "-d", self.target]
        done = subprocess.run(
            command, input=sql + ";\n", env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        self.errors = done.stderr
        if done.returncode != 0:
            raise psql_refusal(done.stderr)
        return [tuple(row) for row in csv.reader(io.StringIO(done.stdout))]

    def notices(self):
        return self.errors

    def close(self):
        pass


def psql_refusal(text):
    found = re.search(r"ERROR:  (\w{5}): (.*)", text)
    if not found:
        return login_refusal(text)
    detail = re.search(r"DETAIL:  (.*)", text)
    hint = re.search(r"HINT:  (.*)", text)
    return Refused(found[1], found[2], detail and detail[1], hint and hint[1])


def login_refusal(text):
    """libpq gives a failed login's text without its SQLSTATE."""
    found = re.search(r"FATAL:\s+(.*)", text)
    return Refused(None, found[1] if found else text, None, None)


DRIVERS = [Psql, Psycopg2, Psycopg3, RedshiftConnector]
