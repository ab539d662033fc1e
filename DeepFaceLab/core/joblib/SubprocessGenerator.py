"""DeepFaceLab's generator in a process of its own, by stock's name; the work is done in accel.training.producer."""
import threading

from accel.training.producer import Producer


class SubprocessGenerator(object):
    """An iterator over the batches that generator_func(user_param) makes in another process, `prefetch` + 1 ahead.

    Raises accel.training.producer.ProducerError when that process fails, dies or cannot start.
    """

    @staticmethod
    def launch_thread(generator):
        """What start_in_parallel does with each generator, in a thread."""
        generator._start()

    @staticmethod
    def start_in_parallel(generator_list):
        """Start the processes of several generators at the same time. Raises the first error and ends them all then."""
        errors = []

        def launch(generator):
            try:
                SubprocessGenerator.launch_thread(generator)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=launch, args=(generator,), daemon=True) for generator in generator_list]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            for generator in generator_list:
                generator._producer.close()
            raise errors[0]

    def __init__(self, generator_func, user_param=None, prefetch=2, start_now=True):
        self.prefetch = prefetch
        self._producer = Producer(generator_func, user_param, prefetch)
        if start_now:
            self._start()

    def _start(self):
        self._producer.start()

    def _is_started(self):
        return self.p is not None

    @property
    def p(self):
        """The multiprocessing.Process; None before the start."""
        return self._producer.process

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._producer)

    def __getstate__(self):
        return {}   # the sample generator that has it travels to its process, too; there it is of no use
