SELECT dblink_exec('dbname=dev', 'delete from orders.daily');
