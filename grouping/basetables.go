package grouping

// The tables below say what is known of the frames of common systems and libraries. The names are facts of those
// systems; which of them matter to grouping follows the published configurations newstyle:2023-01-11 and its successor.

// baseOwnCode tells compiled programs from the systems below them, by where they are installed.
var baseOwnCode = []facts{
	{"family:native package:", `
		/var/containers/Bundle/Application/**
		/private/var/containers/Bundle/Application/**
		**/Containers/Bundle/Application/**
		**/Developer/CoreSimulator/Devices/**`, "+app"},
	{"family:native package:", `
		/lib/**
		/usr/lib/**
		linux-gate.so*`, "-app"},
	{"family:native path:", `
		/usr/local/lib/**
		/usr/local/Cellar/**`, "-app"},
	{"family:native package:", `
		**.app/Contents/**
		/Users/**`, "+app"},
	{"family:native function:", `
		std::*
		core::*
		alloc::*
		__rust_*`, "-app"},
}

// baseErrors are the calls by which an error is raised or a crash report begins: what they call is no part of it.
var baseErrors = []facts{
	{"family:native function:", `
		std::panicking::begin_panic
		core::panicking::begin_panic
		failure::backtrace::Backtrace::new
		error_chain::make_backtrace
		_CxxThrowException
		__cxa_throw
		__assert_rtn
		_NSRaiseError`, "-group ^-group -app ^-app"},
	{"family:native function:", `_mh_execute_header`, "-app -group"},
	{"family:native function:", `google_breakpad::*`, "-app -group"},
	{"family:native function:google_breakpad::ExceptionHandler::", `
		SignalHandler
		WriteMinidumpWithException`, "-group ^-group"},
	{"family:native function:", `
		FDebug::*
		FError::*
		FWindowsErrorOutputDevice::*
		FMacErrorOutputDevice::*
		FUnixErrorOutputDevice::*
		AssertFailedImplV
		ReportAssert`, "-group ^-group -app ^-app"},
}

// baseReporters are the clients that send the events, where they are linked into the program.
var baseReporters = []facts{
	{"family:native package:**/Frameworks/", `
		libswift*.dylib
		KSCrash.framework/**
		SentrySwift.framework/**
		Sentry.framework/**`, "-app"},
	{"family:native function:", `
		kscm_*
		kscrash_*
		sentrycrashcm_*
		*sentrycrash_*
		"?[[]KSCrash*"
		"?[[]RNSentry*"
		"?[[]Sentry*"`, "-app -group"},
	{"module:", `io.sentry.*`, "-app -group"},

	// The stack of a program that does not answer is a snapshot of its main thread: the outermost frames tell most.
	{"error.mechanism:", `
		ANR
		NSError`, "invert-stacktrace=1"},

	{"family:javascript path:", `org-dartlang-sdk:///**`, "-app -group"},
	{"path:", `
		package:sentry/**
		package:sentry_*/**`, "-app -group"},
	{"path:", `package:flutter/**`, "-app"},
	{"family:javascript module:", `**/packages/flutter/**`, "-app"},
}

// baseCategories say what part of a system a frame belongs to. A later line replaces the category of an earlier one.
var baseCategories = []facts{
	{"family:native package:", `
		/System/Library/Frameworks/**
		C:/Windows/**
		/usr/lib/**
		/system/**
		/vendor/**
		CoreFoundation
		Foundation
		CFNetwork
		IOKit
		QuartzCore
		IOMobileFramebuffer
		WebKit
		libobjc*
		libsystem*
		libdispatch.dylib
		**/libart.so`, "category=system"},
	{"family:native function:", `
		memset
		memcpy
		__memcpy
		memcmp`, "category=system"},
	{"package:", `/apex/com.android.*/lib*/**`, "category=system"},
	{"module:", `
		dalvik.system.*
		com.android.*
		com.lenovo.lsf.*
		com.lenovo.payplus.*`, "category=system"},
	{"family:native function:", `
		boost::*
		std::*`, "category=std"},
	{"module:", `
		java.*
		com.google.crypto.*
		com.google.android.*
		javax.crypto.*
		android.database.*
		androidx.*
		android.*`, "category=std"},
	{"module:", `android.os.*`, "category=system"},

	{"family:native package:", `
		UIKit
		UIKitCore
		SwiftUI
		AttributeGraph
		CoreAutoLayout
		GraphicsServices`, "category=ui"},
	{"family:native function:", `"-\[NSISEngine*"`, "category=ui"},
	{"module:", `
		android.view.*
		android.text.*
		android.widget.*
		android.app.Dialog
		androidx.*.widget.*
		com.google.android.material.*`, "category=ui"},
	{"category:ui function:", `
		handleMessage
		run`, "category=indirection"},
	{"family:native function:", `art::jit::*`, "category=runtime"},
	{"family:native package:", `
		/system/lib/libmedia.so
		/System/lib/libaudioclient.so
		AudioToolbox*
		libAudioToolboxUtility.dylib`, "category=av"},
	{"family:native function:", `
		std::_*
		__swift_*
		block_destroy_helper*
		*_block_invoke*`, "category=internals"},

	// Where threads and programs begin.
	{"family:native package:", `
		/usr/lib/system/** function:start
		libdyld.dylib function:start
		UIKit function:UIApplicationMain
		UIKitCore function:UIApplicationMain
		/usr/lib/system/libsystem_pthread.dylib function:"<unknown>"`, "category=threadbase"},
	{"family:native function:", `
		wWinMain
		invoke_main
		BaseThreadInitThunk
		RtlUserThreadStart
		thread_start
		_pthread_start
		__pthread_start
		_pthread_body
		start_wqthread
		_pthread_wqthread
		_dispatch_worker_thread2
		_dispatch_client_callout
		boost::*::thread_proxy
		TppWorkerThread
		TppWorkpExecuteCallback
		RtlpTpWorkCallback`, "category=threadbase"},
	{"module:", `
		android.os.AsyncTask* function:call
		android.os.* function:call
		android.os.Looper function:loop
		android.os.Handler function:dispatchMessage
		android.os.Handler function:handleCallback
		android.app.ActivityThread function:main
		android.app.ActivityThread* function:handleMessage
		android.view.View function:layout
		java.util.concurrent.ThreadPoolExecutor* function:runWorker`, "category=threadbase"},

	// What allocates, and what only passes a call on.
	{"family:native package:", `**/libsystem_malloc.dylib`, "category=malloc"},
	{"family:native function:", `
		malloc
		malloc_base
		RtlpAllocateHeapInternal
		std::*::allocator_traits*`, "category=malloc"},
	{"family:native function:", `
		*::operator()*
		*<lambda>*
		destructor'
		__dynamic_cast
		boost::function*
		boost::_bi::*
		boost::detail::function::functor_manager*
		Array.subscript.*`, "category=indirection"},
	{"module:", `
		java.lang.reflect.*
		java.lang.Class function:getMethod
		androidx.work.impl.utils.ForceStopRunnable`, "category=indirection"},
	{"family:native function:", `
		"*::\\{dtor\\}"
		"destructor'"`, "category=dtor"},

	// How a program ends.
	{"family:native function:", `
		exit
		RtlExitUserProcess
		ExitProcessImplementation
		RtlExitUserThread`, "category=shutdown"},
	{"family:native function:", `
		RtlpExecuteHandlerForException
		_sigtramp
		DispatchHookW
		execute_onexit_table`, "category=handler"},
	{"family:native function:", `
		abort
		raise
		std::terminate
		RtlExitUserThread
		TppRaiseInvalidParameter
		_CxxThrowException
		RaiseException
		RaiseComPlusException
		_CFThrowFormattedException
		objc_exception_throw
		AG::precondition_failure*`, "category=throw"},

	// Graphics.
	{"family:native package:", `
		C:/WINDOWS/system32/DriverStore/**
		"C:/Program Files/NVIDIA Corporation/**"
		/System/Library/Extensions/AppleIntel*GraphicsGLDriver.bundle/**
		/System/Library/Extensions/GeForceGLDriver.bundle/**
		/System/Library/Extensions/AMDRadeon*/**
		/System/Library/PrivateFrameworks/GPUSupport.framework/**
		**/nvcuda.dll
		libGPUSupportMercury.dylib
		AGXGLDriver`, "category=driver"},
	{"family:native function:", `*CUDA*`, "category=driver"},
	{"family:native function:", `
		RtlFreeHeap
		RtlFreeUnicodeString
		std::_Deallocate
		free
		objc_release
		_swift_release_dealloc
		_CFRelease`, "category=free"},
	{"family:native package:", `
		C:/Windows/SYSTEM32/OPENGL32.dll
		/System/Library/Frameworks/OpenGL.framework/**
		/System/Library/Frameworks/OpenCL.framework/**
		/system/lib/libEGL.so
		/system/lib/libskia.so
		**/libGLES*.so
		**/libESXGLES*.so
		OpenGLES
		GLEngine`, "category=gl"},

	// What watches, loads and locks.
	{"family:native package:/System/Library/PrivateFrameworks/GPUSupport.framework/** function:", `gpusGenerateCrashLog*`, "category=telemetry"},
	{"family:native function:", `
		gpusKillClientExt
		crashpad::*`, "category=telemetry"},
	{"module:", `
		cn.gundam.sdk.*
		com.lenovo.payplus.analytics.*`, "category=telemetry"},
	{"package:", `**/libBugly.so`, "category=telemetry"},
	{"family:native function:", `
		dlopen
		dladdr
		ImageLoaderMachO::findClosestSymbol`, "category=load"},
	{"family:native package:/system/lib/libnativeloader.so function:", `android::OpenNativeLibrary`, "category=load"},
	{"module:java.lang.", `
		System function:loadLibrary
		Runtime function:loadLibrary*`, "category=load"},
	{"family:native function:", `pthread_mutex_lock`, "category=lock"},
}

// baseMeanings are what follows from the categories: which frames repeat what the frame before them says, and which
// only lead to, or follow, what matters.
func baseMeanings(c Config) []facts {
	throws := "^-group"
	if c.newer(Newstyle2023) {
		throws = "-group ^-group" // before, the call that raises counted itself
	}
	return []facts{
		{"", `
		category:driver | [category:driver]
		[category:gl] | category:gl
		[category:av] | category:av
		[category:malloc] | category:malloc`, "category=internals"},
		{"", `category:throw`, throws},
		{"", `
		[function:_purecall] | category:throw
		[category:throw] | category:throw`, "category=internals"},
		{"", `category:threadbase`, "-group v-group"},
		{"", `category:handler`, "-group ^-group"},
		{"", `
		category:telemetry
		category:indirection
		category:internals`, "-group"},
		{"family:native category:system function:", `
		_* !function:_purecall
		"<unknown>"`, "category=internals"},
		{"family:native function:", `
		_INTERNAL*
		closure
		Collection.map<T>
		Array.subscript.getter
		Array._getElement
		_ArrayBuffer._nativeTypeChecked.getter
		range
		@callee_guaranteed`, "category=internals"},
		{"family:native function:", `*.cold.1`, "category=indirection"},
		{"", `[!category:system] | category:system | [!category:system]`, "category=indirection"},
		{"", `
		[category:free] | category:system
		[category:system] | category:system
		[category:std] | category:system
		[category:std] | category:std
		[category:ui] | category:ui
		[category:ui] | category:system
		[category:internals] | category:system
		[category:internals] | category:ui
		[category:load] | category:system
		[category:load] | category:load
		[category:throw] | category:system
		[category:runtime] | category:system
		[category:runtime] | category:runtime
		[category:dtor] | category:dtor`, "category=internals"},
	}
}

// baseLibraries are libraries by language, and what compilers, engines and networks of delivery add to a program.
var baseLibraries = []facts{
	{"path:", `
		**/vendor/**
		**/site-packages/**
		**/dist-packages/**
		**/node_modules/**
		**/go/pkg/mod/**
		*https://unpkg.com/**
		*https://cdnjs.cloudflare.com/**
		*https://cdn.jsdelivr.net/**
		*https://esm.run/**`, "-app"},
	{"module:", `unpkg/**`, "-app"},
	{"family:javascript function:", `reportError`, "-app ^-app"},
	{"module:", `
		@babel/**
		core-js/**
		regenerator-runtime/**
		tslib/**`, "-app -group"},
	{"function:", `
		runMicrotasks
		queueMicrotask
		processTicksAndRejections
		runNextTicks
		nextTick`, "-app -group"},
	{"module:", `
		jdk.*
		sun.*
		com.sun.*
		java.*
		javax.*
		scala.*
		akka.*
		feign.*
		com.fasterxml.jackson.*
		io.opentelemetry.*
		org.apache.*
		org.glassfish.*
		org.jboss.*
		org.springframework.*
		kotlin.*
		kotlinx.*
		io.ktor.*
		io.netty.*`, "-app"},

	// Tools that wrap every function to watch it.
	{"module:", `newrelic`, "-app -group"},
	{"path:", `
		**/*newrelic*/**
		**/*LogRocket*/**`, "-app -group"},

	// The line by which a process of Python's multiprocessing is started holds the numbers of its pipes.
	{"family:other module:__main__ function:<module> path:", `**/<string>`, "-app -group"},
}
