SELECT query_to_xml('delete from orders.daily', true, false, '');
