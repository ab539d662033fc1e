"""Which parity tests there are: those against a real stock tree only where one is given (DFL_STOCK)."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)  # test_sort_stock.py makes its faces with benchmarks.workspace

collect_ignore = [] if os.environ.get('DFL_STOCK') else [
    'test_benchmark_train_stock.py', 'test_colours_stock.py', 'test_e2e_stock.py', 'test_extract_cut_stock.py',
    'test_extract_manual_stock.py', 'test_extract_stock.py', 'test_generator_stock.py',
    'test_install_stock.py', 'test_loading_stock.py', 'test_merge_stock.py', 'test_nets_stock.py',
    'test_packing_stock.py', 'test_samples_stock.py', 'test_sort_stock.py', 'test_train_stock.py',
    'test_video_stock.py']
