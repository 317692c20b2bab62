UNLOAD ('select * from orders.daily') TO 's3://bucket/daily' IAM_ROLE default;
COPY (SELECT * FROM orders.daily) TO STDOUT;
COPY orders.daily TO '/tmp/daily';
COPY (SELECT 1) TO PROGRAM 'cat';
