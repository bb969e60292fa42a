-- A database with every kind of object. Times are fixed, so that two servers have the same.
set timestamp = 1700000000, time_zone = '+00:00', sql_mode = default;
drop database if exists dumped;
drop database if exists `dumped ``odd`` ü`;
create database dumped character set utf8mb4 collate utf8mb4_general_ci comment 'Größe 😀';
create database `dumped ``odd`` ü` character set latin1;
use dumped;

create table innodb_all (
  id bigint unsigned not null auto_increment, n int default 5 comment 'a ''comment''', hidden int invisible default 7,
  v int as (n + 1) virtual, p varchar(20) as (concat('p', n)) persistent, d datetime(6) default current_timestamp(6) on update current_timestamp(6),
  e enum('a', 'b''c', 'ü'), s set('x', 'y'), j json default '{}', u uuid default uuid(), ip inet6, ip4 inet4, b bit(9), y year,
  de decimal(30, 10) default 1.5, f float, g geometry, t time(3), c char(5) character set latin1 collate latin1_german1_ci, x varbinary(300),
  k int default (1 + 2), primary key (id), unique key un (n, e), key parts (c(2), n desc), check (n > -100), constraint named check (n < 1000)
) engine=innodb auto_increment=100 comment='all types';
insert into innodb_all (id, n, e, s, j, u, ip, ip4, b, y, f, g, t, c, x, d) values
  (1, 1, 'b''c', 'x,y', '{"a": "ü\\n"}', '123e4567-e89b-12d3-a456-426655440000', '::1', '192.0.2.1', b'101', 2026, 1.25, point(1, 2), '-01:02:03.004', 'ä', x'00010a0d1a22275cff', '2026-01-01 00:00:00.000001'),
  (2, 2, null, '', null, '123e4567-e89b-12d3-a456-426655440001', null, null, null, null, null, null, null, null, null, '2026-01-01');
set sql_mode = '';
insert into innodb_all (id, n, d, e, u) values (3, 3, '0000-00-00', '', '123e4567-e89b-12d3-a456-426655440002'), (18446744073709551614, 4, '2026-00-00', 'a', '123e4567-e89b-12d3-a456-426655440003');
set sql_mode = default;
create table parents (id int primary key, name varchar(50) character set utf8mb4 collate utf8mb4_bin) row_format=compressed;
create table children (id int primary key, parent int, constraint `fk ü` foreign key (parent) references parents (id) on delete cascade on update set null);
insert into parents values (1, 'a 😀'), (2, 'b\0\n\r\t\Z\\''"');
insert into children values (1, 1), (2, null);
create table myisam_table (a int, b text, fulltext key (b)) engine=myisam;
insert into myisam_table values (1, 'some text'), (2, repeat('x', 5000));
create table aria_table (a int primary key) engine=aria transactional=1;
insert into aria_table select seq from seq_1_to_500;
create table memory_table (a int, key (a) using btree) engine=memory;
insert into memory_table values (1), (2);
create table csv_table (a int not null, b varchar(10) not null) engine=csv;
insert into csv_table values (1, 'c"s,v');
create table merge_a (a int) engine=myisam;
create table merge_b (a int) engine=myisam;
create table merged (a int) engine=merge union=(merge_a, merge_b) insert_method=last;
insert into merge_a values (1);
create table empty_table (a int);
create table no_primary (a int, b int);
insert into no_primary values (3, 1), (1, 2);
create table spatial_table (g point not null, spatial index (g));
insert into spatial_table values (point(1, 1));
create table compressed_columns (a blob compressed, b longtext compressed);
insert into compressed_columns values (repeat('a', 5000), repeat('ü', 5000));
create table by_range (a int, b int) partition by range (a) subpartition by hash (b) subpartitions 2 (partition p0 values less than (10), partition p1 values less than maxvalue);
insert into by_range select seq, seq from seq_1_to_30;
create table by_list (a int) partition by list (a) (partition odd values in (1, 3), partition rest default);
insert into by_list values (1), (2);
create table by_key (a int primary key) partition by key () partitions 3;
insert into by_key values (1), (2), (3);
create table versioned (a int, b int without system versioning) with system versioning;
insert into versioned values (1, 1), (2, 2);
-- Rows that end when they begin can't be restored by mariadb-dump.
set timestamp = 1700000100;
update versioned set a = 3 where a = 1;
delete from versioned where a = 2;
set timestamp = 1700000000;
create table of_periods (a int, s date, e date, period for app (s, e), primary key (a, app without overlaps));
insert into of_periods values (1, '2026-01-01', '2026-02-01');
create table blobs (id int primary key, b longblob);
insert into blobs values (1, unhex(repeat('000102fffe27225c0a0d1a', 1000))), (2, repeat('z', 3000000)), (3, ''), (4, null);
create sequence numbers start with 5 minvalue 1 maxvalue 1000 increment by 3 cache 10 cycle;
do nextval(numbers);
create sequence negative start with -1 increment by -1 nocache;
create view plain_view as select id, n, p from innodb_all;
create algorithm=merge sql security invoker view checked as select * from parents where id > 0 with cascaded check option;
create view `view ``of`` ü` (`ä`, b) as select 'ü', (select count(*) from parents);
delimiter //
create trigger before_insert before insert on children for each row begin set new.id = new.id + 0; end//
create trigger second before insert on children for each row follows before_insert set @last = new.id//
create trigger after_delete after delete on parents for each row insert into no_primary values (old.id, -1)//
create procedure proc(in a int, inout b varchar(10) character set latin1, out c json) comment 'a ; comment' modifies sql data sql security invoker
begin
  declare exit handler for sqlexception begin resignal; end;
  -- a comment; 😀
  set c = '{"k": ";"}';
  if a > 1 then select 'x;y'; end if;
end//
create function func(a int) returns varchar(50) deterministic return concat('f', a, ';')//
create aggregate function total(x int) returns int
begin
  declare sum int default 0;
  declare continue handler for not found return sum;
  loop fetch group next row; set sum = sum + x; end loop;
end//
create event event_once on schedule at '2038-01-01 00:00:00' on completion preserve disable comment 'ev' do begin select 1; select 2; end//
create event event_often on schedule every 3 hour starts '2030-01-01 00:00:00' ends '2035-01-01 00:00:00' disable do insert into no_primary values (1, 1)//
set sql_mode = oracle//
create package pack as
  procedure p1(a int);
  function f1 return int;
end//
create package body pack as
  hidden int := 5;
  procedure p1(a int) as begin select a + hidden; end;
  function f1 return int as begin return hidden; end;
begin
  hidden := 6;
end//
create procedure ora(a in int) as begin select a; end//
set sql_mode = default//
set sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//
create procedure other_mode() begin select 'a\', "n" from innodb_all; end//
set sql_mode = default//
set names latin1//
create procedure of_latin1() select 'x'//
set names utf8mb4//
delimiter ;
use `dumped ``odd`` ü`;
create table `tä ``ble` (`c ``ol` int primary key, `select` varchar(10), `ẞx` int) comment 'ü';
insert into `tä ``ble` values (1, 'é', 2);
create view `select` as select * from `tä ``ble`;
create table ` leading` (a int);
create table `a-b.c` (`a.b` int);
create table `0123` (`1` int);
create trigger `tr ü` before update on `tä ``ble` for each row set new.`select` = 'x';
