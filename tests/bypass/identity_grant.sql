GRANT ALL ON orders.daily TO ana;
