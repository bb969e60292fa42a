# Turns a string in C into a program. Sourced by `run` of the C clients; contains no client's name.
. "$(dirname "${BASH_SOURCE[0]}")/../../../script/lib.sh"

# c_program OFF: writes program.c: the function of the string, or OFF to turn TLS off, and a main that reads a row.
c_program() {
  {
    if [ "$TG_SETTING" = off ]; then
      cat <<OFF
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

MYSQL *database_connect(void)
{
    MYSQL *mysql = mysql_init(NULL);
    $1
    if (!mysql_real_connect(mysql, getenv("TG_HOST"), getenv("TG_USER"), getenv("TG_PASSWORD"), getenv("TG_DATABASE"),
                            atoi(getenv("TG_PORT")), NULL, 0)) {
        fprintf(stderr, "%s\n", mysql_error(mysql));
        return NULL;
    }
    return mysql;
}
OFF
    else
      cat "$TG_STRING"
    fi
    cat <<'REST'

int main(void)
{
    printf("version %s\n", mysql_get_client_info());
    MYSQL *mysql = database_connect();
    if (!mysql || mysql_query(mysql, getenv("TG_QUERY")))
        return 1;
    MYSQL_RES *rows = mysql_store_result(mysql);
    printf("%s\n", mysql_fetch_row(rows)[0]);
    mysql_free_result(rows);
    mysql_close(mysql);
    return 0;
}
REST
  } >program.c
}
