SELECT set_config('search_path', 'orders', false);
